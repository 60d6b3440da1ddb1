#include <string>
#include <utility>

#include "router/wire_parts.h"

namespace homeport::router {

using core::AccountKind;
using core::ClientMessageId;
using core::Data;
using core::ShardId;
using core::Status;
using core::Uin;

namespace {

// ---- to bytes

void Fill(wire::Request::Builder to, const HelloRequest&) {
  to.setHello();
}
void Fill(wire::Request::Builder to, const core::NewUin&) {
  to.setNewUin();
}
void Fill(wire::Request::Builder to, const ResolveRequest& from) {
  auto group = to.initResolve();
  group.setKind(static_cast<uint8_t>(from.kind));
  group.setName(Data(from.name));
}
void Fill(wire::Request::Builder to, const core::ClaimName& from) {
  auto group = to.initClaimName();
  group.setClaimKind(static_cast<uint8_t>(from.kind));
  group.setClaimName(Data(from.name));
  group.setClaimUin(from.uin.value());
}
void Fill(wire::Request::Builder to, const core::CreateAccount& from) {
  auto group = to.initCreateAccount();
  group.setCreateUin(from.uin.value());
  group.setCreateKind(static_cast<uint8_t>(from.kind));
  group.setCreateName(Data(from.name));
}
void Fill(wire::Request::Builder to, const core::SendMessage& from) {
  auto group = to.initSend();
  group.setFrom(from.from.value());
  group.setClientMessageId(from.client_message.value());
  group.setTo(from.to.value());
  group.setToGroup(from.to_group);
  group.setBody(Data(from.body));
}
void Fill(wire::Request::Builder to, const AwaitSequencedRequest& from) {
  auto group = to.initAwaitSequenced();
  group.setAwaitGroup(from.group.value());
  group.setAwaitSender(from.sender.value());
  group.setAwaitClientMessageId(from.client_message.value());
  group.setAwaitWaitMs(from.wait_ms);
}
void Fill(wire::Request::Builder to, const core::JoinGroup& from) {
  auto group = to.initJoin();
  group.setJoinGroup(from.group.value());
  group.setJoinUser(from.user.value());
  group.setJoinOnce(from.once.value());
}
void Fill(wire::Request::Builder to, const core::LeaveGroup& from) {
  auto group = to.initLeave();
  group.setLeaveGroup(from.group.value());
  group.setLeaveUser(from.user.value());
  group.setLeaveOnce(from.once.value());
}
void Fill(wire::Request::Builder to, const ShowRequest& from) {
  to.setShow(from.uin.value());
}
void Fill(wire::Request::Builder to, const ListRequest& from) {
  auto group = to.initList();
  group.setListKind(static_cast<uint8_t>(from.kind));
  group.setListShard(from.shard.value());
  group.setListAfter(from.after.value());
  group.setListLimit(from.limit);
}
void Fill(wire::Request::Builder to, const MembersRequest& from) {
  auto group = to.initMembers();
  group.setMembersGroup(from.group.value());
  group.setMembersAfter(from.after.value());
  group.setMembersLimit(from.limit);
}
void Fill(wire::Request::Builder to, const RecordsRequest& from) {
  auto group = to.initRecords();
  group.setRecordsUser(from.user.value());
  group.setTable(Data(from.table));
  group.setRecordsSnapshot(Data(from.snapshot));
  group.setRecordsItemsMax(from.items_max);
  group.setRecordsBytesMax(from.bytes_max);
  group.setRecordsWaitMs(from.wait_ms);
}
void Fill(wire::Request::Builder to, const SyncRequest& from) {
  auto group = to.initSync();
  group.setSyncUser(from.user.value());
  group.setSnapshot(Data(from.snapshot));
  group.setItemsMax(from.items_max);
  group.setBytesMax(from.bytes_max);
  group.setWaitMs(from.wait_ms);
  group.setDevice(from.device.value());
}
void Fill(wire::Request::Builder to, const StatusRequest&) {
  to.setStatus();
}
void Fill(wire::Request::Builder to, const DigestRequest& from) {
  to.setDigest(from.shard.value());
}
void Fill(wire::Request::Builder to, const AwaitNewsRequest& from) {
  auto group = to.initAwaitNews();
  group.setNewsUser(from.user.value());
  group.setNewsDevice(from.device.value());
  group.setNewsSnapshot(Data(from.snapshot));
  group.setNewsWaitMs(from.wait_ms);
  if (from.records.empty()) return;
  auto places = group.initNewsRecords(static_cast<unsigned>(from.records.size()));
  for (unsigned i = 0; i < places.size(); ++i) {
    places[i].setTable(Data(from.records[i].table));
    places[i].setSnapshot(Data(from.records[i].snapshot));
  }
}
void Fill(wire::Request::Builder to, const CancelRequest&) {
  to.setCancel();
}
void Fill(wire::Request::Builder to, const QueueGroupsRequest&) {
  to.setQueueGroups();
}
void Fill(wire::Request::Builder to, const AddQueueGroupRequest& from) {
  auto group = to.initAddQueueGroup();
  group.setAddedGroup(from.group);
  auto endpoints = group.initEndpoints(static_cast<unsigned>(from.endpoints.size()));
  for (unsigned slot = 0; slot < endpoints.size(); ++slot) {
    endpoints.set(slot, from.endpoints[slot].c_str());
  }
}
void Fill(wire::Request::Builder to, const DrainQueueGroupRequest& from) {
  to.setDrainQueueGroup(from.group);
}

void Fill(wire::Request::Builder to, const core::OrderRegion& from) {
  to.setOrderRegion(Data(core::EncodeRegionState(from.state)));
}
void Fill(wire::Request::Builder to, const core::WriteJournal& from) {
  to.setWriteJournal(Data(core::EncodeJournal(from.record)));
}
void Fill(wire::Request::Builder to, const JournalRequest& from) {
  auto group = to.initJournal();
  group.setJournalWriter(from.after.writer.value());
  group.setJournalId(from.after.id);
}
void Fill(wire::Request::Builder to, const ReadRecordRequest& from) {
  auto group = to.initReadRecord();
  group.setReadUser(from.user.value());
  group.setReadTable(Data(from.table));
  group.setReadKey(Data(from.key));
  group.setLevel(static_cast<uint8_t>(from.level));
  FillVersion(from.at_least, group.initAtLeast());
}

void Fill(wire::Request::Builder to, const core::ChangeCommand& from) {
  FillChange(from, to.initChange());
}

// ---- from bytes

Status ReadRequestBody(wire::Request::Reader from, RequestBody* to) {
  AccountKind kind = AccountKind::kUser;
  switch (from.which()) {
    case wire::Request::HELLO:
      *to = HelloRequest{};
      return {};
    case wire::Request::NEW_UIN:
      *to = core::NewUin{};
      return {};
    case wire::Request::RESOLVE: {
      auto group = from.getResolve();
      RETURN_IF_ERROR(ReadKind(group.getKind(), &kind));
      *to = ResolveRequest{kind, String(group.getName())};
      return {};
    }
    case wire::Request::CLAIM_NAME: {
      auto group = from.getClaimName();
      RETURN_IF_ERROR(ReadKind(group.getClaimKind(), &kind));
      *to = core::ClaimName{kind, String(group.getClaimName()), Uin(group.getClaimUin())};
      return {};
    }
    case wire::Request::CREATE_ACCOUNT: {
      auto group = from.getCreateAccount();
      RETURN_IF_ERROR(ReadKind(group.getCreateKind(), &kind));
      *to = core::CreateAccount{Uin(group.getCreateUin()), kind, String(group.getCreateName())};
      return {};
    }
    case wire::Request::SEND: {
      auto group = from.getSend();
      *to = core::SendMessage{Uin(group.getFrom()), ClientMessageId(group.getClientMessageId()),
                              Uin(group.getTo()), group.getToGroup(), String(group.getBody())};
      return {};
    }
    case wire::Request::AWAIT_SEQUENCED: {
      auto group = from.getAwaitSequenced();
      *to = AwaitSequencedRequest{Uin(group.getAwaitGroup()), Uin(group.getAwaitSender()),
                                  ClientMessageId(group.getAwaitClientMessageId()),
                                  group.getAwaitWaitMs()};
      return {};
    }
    case wire::Request::JOIN: {
      auto group = from.getJoin();
      *to = core::JoinGroup{Uin(group.getJoinGroup()), Uin(group.getJoinUser()),
                            core::ClientMessageId(group.getJoinOnce())};
      return {};
    }
    case wire::Request::LEAVE: {
      auto group = from.getLeave();
      *to = core::LeaveGroup{Uin(group.getLeaveGroup()), Uin(group.getLeaveUser()),
                             core::ClientMessageId(group.getLeaveOnce())};
      return {};
    }
    case wire::Request::SHOW:
      *to = ShowRequest{Uin(from.getShow())};
      return {};
    case wire::Request::LIST: {
      auto group = from.getList();
      RETURN_IF_ERROR(ReadKind(group.getListKind(), &kind));
      *to = ListRequest{kind, ShardId(group.getListShard()), Uin(group.getListAfter()),
                        group.getListLimit()};
      return {};
    }
    case wire::Request::MEMBERS: {
      auto group = from.getMembers();
      *to = MembersRequest{Uin(group.getMembersGroup()), Uin(group.getMembersAfter()),
                           group.getMembersLimit()};
      return {};
    }
    case wire::Request::RECORDS: {
      auto group = from.getRecords();
      *to = RecordsRequest{Uin(group.getRecordsUser()),        String(group.getTable()),
                           String(group.getRecordsSnapshot()), group.getRecordsItemsMax(),
                           group.getRecordsBytesMax(),         group.getRecordsWaitMs()};
      return {};
    }
    case wire::Request::SYNC: {
      auto group = from.getSync();
      *to = SyncRequest{Uin(group.getSyncUser()), String(group.getSnapshot()),
                        group.getItemsMax(),      group.getBytesMax(),
                        group.getWaitMs(),        core::DeviceNumber(group.getDevice())};
      return {};
    }
    case wire::Request::STATUS:
      *to = StatusRequest{};
      return {};
    case wire::Request::DIGEST:
      *to = DigestRequest{ShardId(from.getDigest())};
      return {};
    case wire::Request::CHANGE: {
      ASSIGN_OR_RETURN(*to, ReadChange(from.getChange()));
      return {};
    }
    case wire::Request::AWAIT_NEWS: {
      auto group = from.getAwaitNews();
      AwaitNewsRequest news{Uin(group.getNewsUser()), core::DeviceNumber(group.getNewsDevice()),
                            String(group.getNewsSnapshot()), group.getNewsWaitMs()};
      const auto places = group.getNewsRecords();
      if (places.size() > core::kRecordTablesMax) {
        return Status::TooLarge(core::kRecordTablesMax, "more tables than a user has");
      }
      for (const auto place : places) {
        news.records.push_back({String(place.getTable()), String(place.getSnapshot())});
      }
      *to = std::move(news);
      return {};
    }
    case wire::Request::CANCEL:
      *to = CancelRequest{};
      return {};
    case wire::Request::QUEUE_GROUPS:
      *to = QueueGroupsRequest{};
      return {};
    case wire::Request::ADD_QUEUE_GROUP: {
      AddQueueGroupRequest request;
      request.group = from.getAddQueueGroup().getAddedGroup();
      RETURN_IF_ERROR(ReadEndpoints(from.getAddQueueGroup().getEndpoints(), &request.endpoints));
      *to = std::move(request);
      return {};
    }
    case wire::Request::DRAIN_QUEUE_GROUP:
      *to = DrainQueueGroupRequest{from.getDrainQueueGroup()};
      return {};
    case wire::Request::ORDER_REGION: {
      auto state = core::DecodeRegionState(core::View(from.getOrderRegion()));
      if (!state.has_value()) return Status::BadRequest("this is no order of a region");
      *to = core::OrderRegion{std::move(*state)};
      return {};
    }
    case wire::Request::WRITE_JOURNAL: {
      auto record = core::DecodeJournal(core::View(from.getWriteJournal()));
      if (!record.has_value()) return Status::BadRequest("this is no record of the journal");
      *to = core::WriteJournal{std::move(*record)};
      return {};
    }
    case wire::Request::JOURNAL:
      *to = JournalRequest{{core::Incarnation(from.getJournal().getJournalWriter()),
                            from.getJournal().getJournalId()}};
      return {};
    case wire::Request::READ_RECORD: {
      auto group = from.getReadRecord();
      if (group.getLevel() > static_cast<uint8_t>(ReadLevel::kLatest)) {
        return Status::BadRequest(fmt::format("no such level of a read: {}", group.getLevel()));
      }
      *to = ReadRecordRequest{Uin(group.getReadUser()), String(group.getReadTable()),
                              String(group.getReadKey()), static_cast<ReadLevel>(group.getLevel()),
                              ReadVersion(group.getAtLeast())};
      return {};
    }
  }
  return Status::BadRequest(fmt::format("no such request: {}", static_cast<int>(from.which())));
}

}  // namespace

std::string EncodeRequest(uint64_t number, const RequestBody& body, core::MastershipEpoch known,
                          core::Incarnation from) {
  return core::Encode<wire::Request>([&](wire::Request::Builder root) {
    root.setVersion(kClientVersion);
    root.setNumber(number);
    root.setKnownTakeover(known.takeover);
    root.setKnownMove(known.move);
    root.setFromRegion(from.value());
    std::visit([&](const auto& request) { Fill(root, request); }, body);
  });
}

DecodedRequest DecodeRequest(std::string_view bytes) {
  DecodedRequest decoded;
  decoded.status = core::Decode<wire::Request>(bytes, [&](wire::Request::Reader root) -> Status {
    decoded.number = root.getNumber();
    RETURN_IF_ERROR(CheckVersion(root.getVersion()));
    decoded.known = {root.getKnownTakeover(), root.getKnownMove()};
    decoded.from = core::Incarnation(root.getFromRegion());
    return ReadRequestBody(root, &decoded.body);
  });
  return decoded;
}

}  // namespace homeport::router
