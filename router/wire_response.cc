#include <string>
#include <utility>

#include "router/wire_parts.h"

namespace homeport::router {

using core::Code;
using core::Data;
using core::Incarnation;
using core::MastershipEpoch;
using core::MessageId;
using core::Result;
using core::ShardId;
using core::Status;
using core::StreamId;
using core::Uin;

namespace {

kj::StringPtr Text(const std::string& text) {
  return kj::StringPtr(text.c_str(), text.size());
}

// ---- to bytes

void FillAccount(wire::Account::Builder to, const AccountView& from) {
  to.setUin(from.uin.value());
  to.setKind(static_cast<uint8_t>(from.kind));
  to.setName(Data(from.name));
  to.setHome(from.home.value());
  to.setTakeover(from.epoch.takeover);
  to.setMove(from.epoch.move);
  to.setCreatedAtMs(from.created_at_ms);
  to.setMembers(from.members);
  to.setOwner(from.owner.value());
  to.setTitle(Data(from.title));
  to.setClosed(from.closed);
  to.setMoving(!from.adopted);
  auto fields = to.initFields(from.fields.size());
  for (size_t i = 0; i < from.fields.size(); ++i) {
    fields[i].setName(Data(from.fields[i].name));
    fields[i].setValue(Data(from.fields[i].value));
  }
}
void Fill(wire::Response::Builder to, const Status& from) {
  auto error = to.initError();
  error.setCode(static_cast<uint16_t>(from.code()));
  error.setMessage(Text(from.message()));
  error.setDetail(from.detail());
  error.setHome(from.home().value());
  error.setTakeover(from.epoch().takeover);
  error.setMove(from.epoch().move);
}
void Fill(wire::Response::Builder to, const HelloAnswer& from) {
  auto hello = to.initHello();
  hello.setCluster(Text(from.cluster));
  hello.setRegion(Text(from.region));
  hello.setIncarnation(from.incarnation.value());
  hello.setShards(from.shards);
  hello.setPid(from.pid);
  auto regions = hello.initRegions(from.regions.size());
  for (size_t i = 0; i < from.regions.size(); ++i) {
    regions[i].setName(Text(from.regions[i].region));
    regions[i].setIncarnation(from.regions[i].incarnation.value());
    regions[i].setGateway(Text(from.regions[i].endpoint));
  }
}
void Fill(wire::Response::Builder to, const UinAnswer& from) {
  to.setUin(from.uin.value());
}
void Fill(wire::Response::Builder to, const ChangedAnswer& from) {
  to.setChanged(from.changed);
  if (from.version != core::Stamp()) FillVersion(from.version, to.initRecordAt());
}
void Fill(wire::Response::Builder to, const WrittenAnswer& from) {
  to.setWritten(from.number);
}
void Fill(wire::Response::Builder to, const JournalPage& from) {
  auto journal = to.initJournal();
  auto records = journal.initJournalRecords(static_cast<unsigned>(from.records.size()));
  for (unsigned i = 0; i < records.size(); ++i) {
    records.set(i, Data(core::EncodeJournal(from.records[i])));
  }
  journal.setJournalMore(from.more);
}
void Fill(wire::Response::Builder to, const core::RecordRead& from) {
  auto record = to.initRecord();
  record.setRecordFound(from.record.has_value());
  if (from.record) {
    record.setRecordValue(Data(from.record->value));
    record.setRecordChangedAtMs(from.record->changed_at_ms);
  }
  FillVersion(from.version, record.initRecordVersion());
}
void Fill(wire::Response::Builder to, const ResolvedAnswer& from) {
  auto resolved = to.initResolved();
  resolved.setFound(from.account.has_value());
  if (from.account) FillAccount(resolved.initAccount(), *from.account);
  resolved.setBoundUin(from.bound.value());
}
void Fill(wire::Response::Builder to, const SentAnswer& from) {
  to.setSent(from.message.value());
}
void Fill(wire::Response::Builder to, const SequencedAnswer& from) {
  auto sequenced = to.initSequenced();
  sequenced.setIsSequenced(from.group_seq.has_value());
  sequenced.setGroupSeq(from.group_seq.value_or(0));
}
void Fill(wire::Response::Builder to, const AccountsAnswer& from) {
  to.setListNext(from.next.value());
  auto accounts = to.initAccounts(from.accounts.size());
  for (size_t i = 0; i < from.accounts.size(); ++i) FillAccount(accounts[i], from.accounts[i]);
}
void Fill(wire::Response::Builder to, const MembersAnswer& from) {
  to.setListNext(from.next.value());
  auto members = to.initMembers(from.members.size());
  for (size_t i = 0; i < from.members.size(); ++i) members.set(i, from.members[i].value());
}
void FillMark(wire::Mark::Builder to, const core::Mark& from) {
  to.setTakeover(from.at.epoch.takeover);
  to.setMove(from.at.epoch.move);
  to.setVersion(from.at.version.value());
  to.setMessage(from.message.value());
  to.setGroupSeq(from.group_seq);
}
void Fill(wire::Response::Builder to, const SyncResult& from) {
  auto sync = to.initSync();
  sync.setNextSnapshot(Data(from.snapshot));
  sync.setMore(from.more);
  if (from.account) {
    FillAccount(sync.initAccount(), *from.account);
    auto devices = sync.initDevices(from.devices.size());
    for (size_t i = 0; i < from.devices.size(); ++i) {
      const core::SyncDevice& device = from.devices[i];
      devices[i].setNumber(device.number.value());
      devices[i].setInstall(device.device.install);
      devices[i].setName(Data(device.device.name));
      devices[i].setRegisteredAtMs(device.device.registered_at_ms);
      devices[i].setSeenAtMs(device.seen_at_ms);
    }
  }
  auto contacts = sync.initContacts(from.contacts.size());
  for (size_t i = 0; i < from.contacts.size(); ++i) {
    const ContactView& contact = from.contacts[i];
    contacts[i].setPeer(contact.peer.value());
    contacts[i].setPeerName(Data(contact.peer_name));
    contacts[i].setRelation(static_cast<uint8_t>(contact.relation));
    contacts[i].setText(Data(contact.text));
    contacts[i].setBlocked(contact.blocked);
    contacts[i].setRemark(Data(contact.remark));
    contacts[i].setChangedAtMs(contact.changed_at_ms);
  }
  auto conversations = sync.initConversations(from.conversations.size());
  for (size_t i = 0; i < from.conversations.size(); ++i) {
    const ConversationView& conversation = from.conversations[i];
    conversations[i].setWith(conversation.with.value());
    conversations[i].setWithName(Data(conversation.with_name));
    FillMark(conversations[i].initRead(), conversation.conversation.read);
    FillMark(conversations[i].initPeersRead(), conversation.conversation.peers_read);
    FillMark(conversations[i].initPeersDelivered(), conversation.conversation.peers_delivered);
  }
  auto messages = sync.initMessages(from.messages.size());
  for (size_t i = 0; i < from.messages.size(); ++i) {
    const SyncedMessage& message = from.messages[i];
    messages[i].setId(message.id.value());
    messages[i].setSender(message.sender.value());
    messages[i].setSenderName(Data(message.sender_name));
    messages[i].setGroup(message.group.value());
    messages[i].setGroupName(Data(message.group_name));
    messages[i].setGroupSeq(message.group_seq);
    messages[i].setVersion(message.version);
    messages[i].setTakeover(message.epoch.takeover);
    messages[i].setMove(message.epoch.move);
    messages[i].setSentAtMs(message.sent_at_ms);
    messages[i].setBody(Data(message.body));
    messages[i].setEvent(static_cast<uint8_t>(message.event.kind));
    messages[i].setSubject(message.event.subject.value());
    messages[i].setSubjectName(Data(message.subject_name));
    messages[i].setText(Data(message.event.text));
    messages[i].setRecalled(message.recalled);
    messages[i].setIsRecall(message.is_recall);
    messages[i].setExpired(message.expired);
  }
}
void Fill(wire::Response::Builder to, const RegionReport& from) {
  auto status = to.initStatus();
  status.setRegion(Text(from.region));
  status.setReady(from.ready);
  status.setPid(from.pid);
  status.setWritesRefused(Text(from.writes_refused));
  auto shards = status.initShards(from.shards.size());
  for (size_t i = 0; i < from.shards.size(); ++i) {
    const RegionReport::Shard& shard = from.shards[i];
    shards[i].setShard(shard.shard.value());
    shards[i].setReady(shard.ready);
    shards[i].setWhyNot(Text(shard.why_not));
    shards[i].setEpoch(shard.epoch);
    shards[i].setCommitted(shard.committed);
    shards[i].setApplied(shard.applied);
    shards[i].setCommandsQueued(shard.commands_queued);
    shards[i].setIntentsPending(shard.intents_pending);
  }
  auto streams = status.initStreams(from.streams.size());
  for (size_t i = 0; i < from.streams.size(); ++i) {
    const RegionReport::Stream& stream = from.streams[i];
    streams[i].setStream(stream.stream.value());
    streams[i].setApplied(stream.applied);
    streams[i].setCommitted(stream.committed);
    streams[i].setHeardMsAgo(stream.heard_ms_ago);
    streams[i].setAppliedWrittenAtMs(stream.applied_written_at_ms);
    streams[i].setTrimmed(stream.trimmed);
    streams[i].setBeginsAt(stream.begins_at);
    streams[i].setHeldNowhere(stream.held_nowhere);
  }
  auto away = status.initAway(from.away.size());
  for (size_t i = 0; i < from.away.size(); ++i) {
    away[i].setRegion(from.away[i].region.value());
    away[i].setStream(from.away[i].stream.value());
    away[i].setNeedsBootstrap(from.away[i].needs_bootstrap);
  }
  auto states = status.initStates(from.states.size());
  for (size_t i = 0; i < from.states.size(); ++i) {
    states.set(i, Data(core::EncodeRegionState(from.states[i])));
  }
}
void Fill(wire::Response::Builder to, const DeviceAnswer& from) {
  to.setDevice(from.device.value());
}
void Fill(wire::Response::Builder to, const DigestAnswer& from) {
  auto digests = to.initDigest().initDigests(from.tables.size());
  for (size_t i = 0; i < from.tables.size(); ++i) {
    digests[i].setTable(Text(from.tables[i].table));
    digests[i].setRows(from.tables[i].rows);
    digests[i].setDigest(from.tables[i].digest);
  }
}
void Fill(wire::Response::Builder to, const NewsAnswer& from) {
  auto news = to.initNews();
  news.setHasNews(from.news);
  news.setReplaced(from.replaced);
  if (from.records.empty()) return;
  auto tables = news.initNewsTables(static_cast<unsigned>(from.records.size()));
  for (unsigned i = 0; i < tables.size(); ++i) tables.set(i, Data(from.records[i]));
}
void Fill(wire::Response::Builder to, const QueueGroups& from) {
  auto root = to.initQueueGroups();
  root.setLastGroup(from.last_group);
  root.setSettled(from.settled);
  root.setLooksComplete(from.looks_complete);
  root.setHeldNowhere(from.held_nowhere);
  auto lacking = root.initLacking(static_cast<unsigned>(from.lacking.size()));
  for (unsigned i = 0; i < lacking.size(); ++i) {
    lacking[i].setReplica(from.lacking[i].replica);
    lacking[i].setSilent(from.lacking[i].silent);
    lacking[i].setEntries(from.lacking[i].entries);
    lacking[i].setBytes(from.lacking[i].bytes);
    lacking[i].setForMs(from.lacking[i].for_ms);
  }
  auto groups = root.initGroups(static_cast<unsigned>(from.groups.size()));
  for (unsigned i = 0; i < groups.size(); ++i) {
    const QueueGroup& group = from.groups[i];
    groups[i].setId(group.id);
    groups[i].setDraining(group.draining);
    groups[i].setWhyNotRetired(Text(group.why_not_retired));
    auto disks = groups[i].initDisks(3);
    auto endpoints = groups[i].initEndpoints(3);
    for (unsigned slot = 0; slot < 3; ++slot) {
      disks.set(slot, group.disks[slot]);
      endpoints.set(slot, group.endpoints[slot].c_str());
    }
  }
}
void Fill(wire::Response::Builder to, const GroupOrderResult& from) {
  auto group = to.initGroupOrder();
  group.setOrderedGroup(from.group);
  group.setGroupChanged(from.changed);
}
void Fill(wire::Response::Builder to, const core::RecordsPage& from) {
  auto page = to.initRecords();
  auto records = page.initChangedRecords(from.records.size());
  for (size_t i = 0; i < from.records.size(); ++i) {
    records[i].setKey(Data(from.records[i].key));
    records[i].setDeleted(from.records[i].deleted);
    records[i].setValue(Data(from.records[i].value));
    records[i].setChangedAtMs(from.records[i].changed_at_ms);
  }
  page.setRecordsSnapshot(Data(from.snapshot));
  page.setRecordsMore(from.more);
}

// ---- from bytes

Status ReadAccount(wire::Account::Reader from, AccountView* to) {
  RETURN_IF_ERROR(ReadKind(from.getKind(), &to->kind));
  to->uin = Uin(from.getUin());
  to->name = String(from.getName());
  to->home = Incarnation(from.getHome());
  to->epoch = MastershipEpoch{from.getTakeover(), from.getMove()};
  to->created_at_ms = from.getCreatedAtMs();
  to->members = from.getMembers();
  to->owner = Uin(from.getOwner());
  to->title = String(from.getTitle());
  to->closed = from.getClosed();
  to->adopted = !from.getMoving();
  for (auto field : from.getFields()) {
    to->fields.push_back({String(field.getName()), String(field.getValue())});
  }
  return {};
}
Status ReadError(wire::Error::Reader from, ResponseBody* to) {
  const uint16_t code = from.getCode();
  if (code == static_cast<uint16_t>(Code::kOk) || code > static_cast<uint16_t>(core::kLastCode)) {
    return Status::BadRequest(fmt::format("the gateway answered an unknown code {}: {}", code,
                                          core::View(from.getMessage())));
  }
  Status status(static_cast<Code>(code), String(from.getMessage()));
  status.set_detail(from.getDetail());
  status.set_home(Incarnation(from.getHome()), MastershipEpoch{from.getTakeover(), from.getMove()});
  *to = std::move(status);
  return {};
}
HelloAnswer ReadHello(wire::Hello::Reader from) {
  HelloAnswer hello;
  hello.cluster = String(from.getCluster());
  hello.region = String(from.getRegion());
  hello.incarnation = Incarnation(from.getIncarnation());
  hello.shards = from.getShards();
  hello.pid = from.getPid();
  for (auto region : from.getRegions()) {
    hello.regions.push_back({String(region.getName()), Incarnation(region.getIncarnation()),
                             String(region.getGateway())});
  }
  return hello;
}
core::Mark ReadMark(wire::Mark::Reader from) {
  return {{{from.getTakeover(), from.getMove()}, core::Version(from.getVersion())},
          MessageId(from.getMessage()),
          from.getGroupSeq()};
}
Status ReadNews(wire::Response::News::Reader from, ResponseBody* to) {
  NewsAnswer news{from.getHasNews(), from.getReplaced()};
  for (const auto table : from.getNewsTables()) news.records.push_back(String(table));
  *to = std::move(news);
  return {};
}

Status ReadSyncResult(wire::Response::Sync::Reader from, ResponseBody* to) {
  SyncResult result;
  result.snapshot = String(from.getNextSnapshot());
  result.more = from.getMore();
  if (from.hasAccount()) RETURN_IF_ERROR(ReadAccount(from.getAccount(), &result.account.emplace()));
  for (auto device : from.getDevices()) {
    result.devices.push_back(
        {core::DeviceNumber(device.getNumber()),
         {device.getInstall(), String(device.getName()), device.getRegisteredAtMs()},
         device.getSeenAtMs()});
  }
  for (auto contact : from.getContacts()) {
    if (contact.getRelation() > static_cast<uint8_t>(core::Relation::kFriends)) {
      return Status::BadRequest("a contact in a relation that is not known here");
    }
    result.contacts.push_back({Uin(contact.getPeer()), String(contact.getPeerName()),
                               static_cast<core::Relation>(contact.getRelation()),
                               String(contact.getText()), contact.getBlocked(),
                               String(contact.getRemark()), contact.getChangedAtMs()});
  }
  for (auto conversation : from.getConversations()) {
    ConversationView& out = result.conversations.emplace_back();
    out.with = Uin(conversation.getWith());
    out.with_name = String(conversation.getWithName());
    out.conversation = {ReadMark(conversation.getRead()), ReadMark(conversation.getPeersRead()),
                        ReadMark(conversation.getPeersDelivered())};
  }
  for (auto message : from.getMessages()) {
    SyncedMessage& out = result.messages.emplace_back();
    out.id = MessageId(message.getId());
    out.sender = Uin(message.getSender());
    out.sender_name = String(message.getSenderName());
    out.group = Uin(message.getGroup());
    out.group_name = String(message.getGroupName());
    out.group_seq = message.getGroupSeq();
    out.version = message.getVersion();
    out.epoch = {message.getTakeover(), message.getMove()};
    out.sent_at_ms = message.getSentAtMs();
    out.body = String(message.getBody());
    if (message.getEvent() > static_cast<uint8_t>(core::GroupEventKind::kOpened)) {
      return Status::BadRequest("an event of a kind that is not known here");
    }
    out.event = {static_cast<core::GroupEventKind>(message.getEvent()), Uin(message.getSubject()),
                 String(message.getText())};
    out.subject_name = String(message.getSubjectName());
    out.recalled = message.getRecalled();
    out.is_recall = message.getIsRecall();
    out.expired = message.getExpired();
  }
  *to = std::move(result);
  return {};
}
core::RecordsPage ReadRecords(wire::Response::Records::Reader from) {
  core::RecordsPage page;
  for (auto record : from.getChangedRecords()) {
    page.records.push_back({String(record.getKey()), record.getDeleted(), String(record.getValue()),
                            record.getChangedAtMs()});
  }
  page.snapshot = String(from.getRecordsSnapshot());
  page.more = from.getRecordsMore();
  return page;
}
Status ReadReport(wire::Status::Reader from, ResponseBody* to) {
  RegionReport report;
  report.region = String(from.getRegion());
  report.ready = from.getReady();
  report.pid = from.getPid();
  report.writes_refused = String(from.getWritesRefused());
  for (auto shard : from.getShards()) {
    RegionReport::Shard& one = report.shards.emplace_back();
    one.shard = ShardId(shard.getShard());
    one.ready = shard.getReady();
    one.why_not = String(shard.getWhyNot());
    one.epoch = shard.getEpoch();
    one.committed = shard.getCommitted();
    one.applied = shard.getApplied();
    one.commands_queued = shard.getCommandsQueued();
    one.intents_pending = shard.getIntentsPending();
  }
  for (auto stream : from.getStreams()) {
    RegionReport::Stream& one = report.streams.emplace_back();
    one.stream = StreamId::FromValue(stream.getStream());
    one.applied = stream.getApplied();
    one.committed = stream.getCommitted();
    one.heard_ms_ago = stream.getHeardMsAgo();
    one.applied_written_at_ms = stream.getAppliedWrittenAtMs();
    one.trimmed = stream.getTrimmed();
    one.begins_at = stream.getBeginsAt();
    one.held_nowhere = stream.getHeldNowhere();
  }
  for (auto away : from.getAway()) {
    report.away.push_back({Incarnation(away.getRegion()), StreamId::FromValue(away.getStream()),
                           away.getNeedsBootstrap()});
  }
  for (const auto bytes : from.getStates()) {
    auto state = core::DecodeRegionState(core::View(bytes));
    if (!state.has_value()) return Status::BadRequest("an order of a region that is none");
    report.states.push_back(std::move(*state));
  }
  *to = std::move(report);
  return {};
}
Status ReadJournal(wire::Response::Journal::Reader from, ResponseBody* to) {
  JournalPage page;
  for (const auto bytes : from.getJournalRecords()) {
    auto record = core::DecodeJournal(core::View(bytes));
    if (!record.has_value()) return Status::BadRequest("a record of the journal that is none");
    page.records.push_back(std::move(*record));
  }
  page.more = from.getJournalMore();
  *to = std::move(page);
  return {};
}
core::RecordRead ReadRecordRead(wire::Response::Record::Reader from) {
  core::RecordRead read;
  if (from.getRecordFound()) {
    read.record = core::Record{String(from.getRecordValue()), from.getRecordChangedAtMs()};
  }
  read.version = ReadVersion(from.getRecordVersion());
  return read;
}

Status ReadResolved(wire::Response::Resolved::Reader from, ResponseBody* to) {
  ResolvedAnswer answer;
  if (from.getFound()) RETURN_IF_ERROR(ReadAccount(from.getAccount(), &answer.account.emplace()));
  answer.bound = Uin(from.getBoundUin());
  *to = std::move(answer);
  return {};
}
Status ReadAccounts(wire::Response::Reader from, ResponseBody* to) {
  AccountsAnswer answer;
  answer.next = Uin(from.getListNext());
  for (auto account : from.getAccounts())
    RETURN_IF_ERROR(ReadAccount(account, &answer.accounts.emplace_back()));
  *to = std::move(answer);
  return {};
}
MembersAnswer ReadMembers(wire::Response::Reader from) {
  MembersAnswer answer;
  answer.next = Uin(from.getListNext());
  for (uint64_t member : from.getMembers()) answer.members.push_back(Uin(member));
  return answer;
}
DigestAnswer ReadDigest(wire::Response::Digest::Reader from) {
  DigestAnswer answer;
  for (auto table : from.getDigests()) {
    core::TableDigest& to = answer.tables.emplace_back();
    to.table = String(table.getTable());
    to.rows = table.getRows();
    to.digest = table.getDigest();
  }
  return answer;
}

Status ReadQueueGroups(wire::QueueGroups::Reader from, ResponseBody* to) {
  QueueGroups answer;
  answer.last_group = from.getLastGroup();
  answer.settled = from.getSettled();
  answer.looks_complete = from.getLooksComplete();
  answer.held_nowhere = from.getHeldNowhere();
  if (from.getLacking().size() > 3 * core::kGroupsPerRegionMax) {
    return Status::BadRequest(fmt::format("{} replicas are too many", from.getLacking().size()));
  }
  for (auto lack : from.getLacking()) {
    answer.lacking.push_back(
        {lack.getReplica(), lack.getSilent(), lack.getEntries(), lack.getBytes(), lack.getForMs()});
  }
  if (from.getGroups().size() > core::kGroupsPerRegionMax) {
    return Status::BadRequest(fmt::format("{} groups are too many", from.getGroups().size()));
  }
  for (auto group : from.getGroups()) {
    const uint32_t before = answer.groups.empty() ? 0 : answer.groups.back().id;
    QueueGroup& one = answer.groups.emplace_back();
    one.id = group.getId();
    one.draining = group.getDraining();
    one.why_not_retired = String(group.getWhyNotRetired());
    if (one.id <= before || one.id > core::kGroupNumberMax || group.getDisks().size() != 3) {
      return Status::BadRequest(fmt::format("no such group: {}", one.id));
    }
    for (unsigned slot = 0; slot < 3; ++slot) one.disks[slot] = group.getDisks()[slot];
    RETURN_IF_ERROR(ReadEndpoints(group.getEndpoints(), &one.endpoints));
  }
  *to = std::move(answer);
  return {};
}

Status ReadResponseBody(wire::Response::Reader from, ResponseBody* to) {
  switch (from.which()) {
    case wire::Response::ERROR:
      return ReadError(from.getError(), to);
    case wire::Response::HELLO:
      *to = ReadHello(from.getHello());
      return {};
    case wire::Response::UIN:
      *to = UinAnswer{Uin(from.getUin())};
      return {};
    case wire::Response::CHANGED:
      *to = ChangedAnswer{from.getChanged(), ReadVersion(from.getRecordAt())};
      return {};
    case wire::Response::WRITTEN:
      *to = WrittenAnswer{from.getWritten()};
      return {};
    case wire::Response::JOURNAL:
      return ReadJournal(from.getJournal(), to);
    case wire::Response::RECORD:
      *to = ReadRecordRead(from.getRecord());
      return {};
    case wire::Response::RESOLVED:
      return ReadResolved(from.getResolved(), to);
    case wire::Response::SENT:
      *to = SentAnswer{MessageId(from.getSent())};
      return {};
    case wire::Response::SEQUENCED: {
      SequencedAnswer answer;
      if (from.getSequenced().getIsSequenced()) {
        answer.group_seq = from.getSequenced().getGroupSeq();
      }
      *to = answer;
      return {};
    }
    case wire::Response::ACCOUNTS:
      return ReadAccounts(from, to);
    case wire::Response::MEMBERS:
      *to = ReadMembers(from);
      return {};
    case wire::Response::SYNC:
      return ReadSyncResult(from.getSync(), to);
    case wire::Response::STATUS:
      return ReadReport(from.getStatus(), to);
    case wire::Response::DIGEST:
      *to = ReadDigest(from.getDigest());
      return {};
    case wire::Response::DEVICE:
      *to = DeviceAnswer{core::DeviceNumber(from.getDevice())};
      return {};
    case wire::Response::RECORDS:
      *to = ReadRecords(from.getRecords());
      return {};
    case wire::Response::NEWS:
      return ReadNews(from.getNews(), to);
    case wire::Response::QUEUE_GROUPS:
      return ReadQueueGroups(from.getQueueGroups(), to);
    case wire::Response::GROUP_ORDER:
      *to = GroupOrderResult{from.getGroupOrder().getOrderedGroup(),
                             from.getGroupOrder().getGroupChanged()};
      return {};
  }
  return Status::BadRequest(fmt::format("no such response: {}", static_cast<int>(from.which())));
}

}  // namespace

std::string EncodeResponse(uint64_t number, const ResponseBody& body,
                           const BlockedRegions& blocked) {
  return core::Encode<wire::Response>([&](wire::Response::Builder root) {
    root.setVersion(kClientVersion);
    root.setNumber(number);
    root.setBlocks(blocked.number);
    if (!blocked.regions.empty()) {
      auto regions = root.initBlocked(static_cast<unsigned>(blocked.regions.size()));
      for (unsigned i = 0; i < regions.size(); ++i) regions.set(i, blocked.regions[i].value());
    }
    std::visit([&](const auto& response) { Fill(root, response); }, body);
  });
}

Result<Response> DecodeResponse(std::string_view bytes) {
  Response response;
  Status status = core::Decode<wire::Response>(bytes, [&](wire::Response::Reader root) -> Status {
    response.number = root.getNumber();
    RETURN_IF_ERROR(CheckVersion(root.getVersion()));
    response.blocked.number = root.getBlocks();
    if (root.getBlocked().size() > core::kRegionsMax) {
      return Status::BadRequest("more regions are blocked than a cluster has");
    }
    for (const uint16_t region : root.getBlocked()) response.blocked.regions.emplace_back(region);
    return ReadResponseBody(root, &response.body);
  });
  if (!status.ok()) return status;
  return response;
}

}  // namespace homeport::router
