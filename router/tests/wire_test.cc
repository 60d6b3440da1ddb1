#include "router/wire.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "router/wire_parts.h"

namespace homeport::router {
namespace {

using core::AccountKind;
using core::ClientMessageId;
using core::Incarnation;
using core::MastershipEpoch;
using core::MessageId;
using core::ShardId;
using core::Status;
using core::StreamId;
using core::Uin;

const std::string kOddName("a\0\xff b", 5);

std::vector<core::ChangeCommand> EveryChange() {
  return {core::RegisterDevice{Uin(30), 31, kOddName},
          core::RemoveDevice{Uin(32), core::DeviceNumber(33)},
          core::SetProfile{Uin(34), {{"a", kOddName}, {"b", ""}}},
          core::AskContact{Uin(35), Uin(36), kOddName},
          core::DeleteContact{Uin(37), Uin(38)},
          core::BlockContact{Uin(39), Uin(40), true},
          core::RemarkContact{Uin(41), Uin(42), kOddName},
          core::RecallMessage{Uin(43), ClientMessageId(44)},
          core::CreateGroup{Uin(45), kOddName, Uin(46), "title"},
          core::RenameGroup{Uin(47), Uin(48), kOddName},
          core::CloseGroup{Uin(49), Uin(50), true},
          core::AddMember{Uin(51), Uin(52), Uin(53)},
          core::RemoveMember{Uin(54), Uin(55), Uin(56)},
          core::TransferGroup{Uin(57), Uin(58), Uin(59)},
          core::MarkRead{Uin(60), Uin(61), {{62, 63}, core::Version(64)}},
          core::PutRecord{Uin(65),
                          "table",
                          kOddName,
                          std::string(300, '\xfe'),
                          {},
                          core::Stamp{{74, 75}, core::Version(76)}},
          core::DeleteRecord{Uin(66), "table", kOddName, ClientMessageId(73)},
          core::MoveHome{Uin(67), Incarnation(68)}};
}

core::RegionState ABlock() {
  core::RegionState state;
  state.region = Incarnation(2);
  state.order = core::RegionOrder::kBlock;
  state.on = true;
  state.number = 3;
  state.by = kOddName;
  state.at_ms = -4;
  state.to = {Incarnation(5)};
  state.writer = Incarnation(6);
  return state;
}
core::JournalRecord ARecord() {
  core::JournalRecord record;
  record.id = 1;
  record.number = 2;
  record.kind = "drain";
  record.lines = {kOddName};
  record.counts = {{"moved", 3}};
  return record;
}

std::vector<RequestBody> EveryRequest() {
  return {HelloRequest{},
          core::NewUin{},
          ResolveRequest{AccountKind::kGroup, kOddName},
          core::ClaimName{AccountKind::kGroup, kOddName, Uin(7)},
          core::CreateAccount{Uin(8), AccountKind::kGroup, kOddName},
          core::SendMessage{Uin(9), ClientMessageId(10), Uin(11), true, std::string(3000, '\xfe')},
          AwaitSequencedRequest{Uin(12), Uin(13), ClientMessageId(14), 15},
          core::JoinGroup{Uin(16), Uin(17), ClientMessageId(71)},
          core::LeaveGroup{Uin(18), Uin(19), ClientMessageId(72)},
          ShowRequest{Uin(~uint64_t{0})},
          ListRequest{AccountKind::kGroup, ShardId(3), Uin(20), 21},
          MembersRequest{Uin(22), Uin(23), 24},
          SyncRequest{Uin(25), "token", 26, 27, 28, core::DeviceNumber(29)},
          StatusRequest{},
          DigestRequest{ShardId(5)},
          EveryChange().front(),
          AwaitNewsRequest{Uin(30), core::DeviceNumber(31), "token", 32, {{"a", "b"}, {"c", ""}}},
          CancelRequest{},
          QueueGroupsRequest{},
          AddQueueGroupRequest{6, {"tcp://a:1", "tcp://b:2", "tcp://c:3"}},
          DrainQueueGroupRequest{7},
          RecordsRequest{Uin(67), "table", "token", 68, 69, 70},
          core::OrderRegion{ABlock()},
          core::WriteJournal{ARecord()},
          JournalRequest{{Incarnation(77), 78}},
          ReadRecordRequest{
              Uin(79), "table", kOddName, ReadLevel::kCritical, {{80, 81}, core::Version(82)}}};
}

AccountView AccountOf(uint64_t n) {
  AccountView account;
  account.uin = Uin(n);
  account.kind = AccountKind::kGroup;
  account.name = kOddName;
  account.home = Incarnation(3);
  account.epoch = MastershipEpoch{4, 5};
  account.fields = {{"city", kOddName}};
  account.owner = Uin(6);
  account.title = kOddName;
  account.closed = true;
  account.adopted = false;
  account.created_at_ms = -6;
  account.members = 7;
  return account;
}

SyncResult ManyMessages() {
  SyncResult result;
  for (uint64_t n = 1; n <= 3; ++n) {
    SyncedMessage& message = result.messages.emplace_back();
    message.id = MessageId(n);
    message.sender = Uin(n + 10);
    message.sender_name = kOddName;
    message.group = Uin(n + 20);
    message.group_name = "group";
    message.group_seq = n + 30;
    message.version = n + 40;
    message.epoch = {5, 6};
    message.sent_at_ms = -static_cast<int64_t>(n);
    message.body = std::string(n * 100, 'x');
  }
  result.messages[0].event = {core::GroupEventKind::kAdded, Uin(60), "text"};
  result.messages[0].subject_name = kOddName;
  result.messages[1].recalled = true;
  result.messages[2].is_recall = true;
  result.contacts.push_back(
      {Uin(61), kOddName, core::Relation::kAsking, "text", true, "remark", 62});
  ConversationView& conversation = result.conversations.emplace_back();
  conversation.with = Uin(63);
  conversation.with_name = kOddName;
  conversation.conversation = {{{{1, 2}, core::Version(3)}, MessageId(4), 5},
                               {{{6, 7}, core::Version(8)}, MessageId(9), 10},
                               {{{11, 12}, core::Version(13)}, MessageId(14), 15}};
  result.account = AccountOf(50);
  result.devices = {{core::DeviceNumber(51), {52, kOddName, 53}, 54}};
  result.snapshot = "next";
  result.more = true;
  return result;
}

RegionReport FullReport() {
  RegionReport report;
  report.region = "sh";
  report.pid = 77;
  report.ready = true;
  report.writes_refused = "no lease";
  report.shards.push_back({ShardId(2), false, "waits for replica 2", 1, 2, 3, 4, 5});
  report.streams.push_back({StreamId(Incarnation(2), ShardId(1)), 6, 7, -1, 8, 9, 10, 11});
  report.away.push_back({Incarnation(3), StreamId(Incarnation(1), ShardId(2)), true});
  report.states = {ABlock()};
  return report;
}

QueueGroups TwoGroups() {
  QueueGroups groups;
  for (const uint32_t id : {2, 5}) {
    groups.groups.push_back(
        {id, id == 2, {id, 8, 9}, {"tcp://a:1", "tcp://b:2", "tcp://c:3"}, "waits"});
  }
  groups.last_group = 6;
  groups.settled = true;
  groups.looks_complete = true;
  groups.lacking = {{4, true, 10, 1000, 2500}, {6, false, 1, 2, 3}};
  groups.held_nowhere = 7;
  return groups;
}

std::vector<ResponseBody> EveryResponse() {
  Status moved = Status::Moved(Incarnation(2), MastershipEpoch{1, 2}, "ask hk");
  moved.set_detail(99);
  HelloAnswer hello{"feed", "sh", Incarnation(1), 8, {{"sh", Incarnation(1), "tcp://a:1"}}, 5};
  return {moved,
          hello,
          UinAnswer{Uin(1)},
          ChangedAnswer{true},
          ResolvedAnswer{AccountOf(1), Uin()},
          ResolvedAnswer{std::nullopt, Uin(2)},
          SentAnswer{MessageId(3)},
          SequencedAnswer{4},
          SequencedAnswer{std::nullopt},
          AccountsAnswer{{AccountOf(1), AccountOf(2)}},
          MembersAnswer{{Uin(5), Uin(6)}},
          ManyMessages(),
          FullReport(),
          DigestAnswer{{{ShardId(), "account", 1, 2}, {ShardId(), "name", 3, 4}}},
          DeviceAnswer{core::DeviceNumber(7)},
          NewsAnswer{true, false, {"a", "c"}},
          NewsAnswer{false, true},
          TwoGroups(),
          GroupOrderResult{4, true},
          core::RecordsPage{{{kOddName, false, kOddName, 1}, {"key", true, "", 0}}, "token", true},
          ChangedAnswer{true, {{1, 2}, core::Version(3)}},
          WrittenAnswer{4},
          JournalPage{{ARecord(), ARecord()}, true},
          core::RecordRead{core::Record{kOddName, 5}, {{6, 7}, core::Version(8)}},
          core::RecordRead{std::nullopt, {{6, 7}, core::Version(9)}}};
}

// Encoding is a function of all fields, so equal bytes after a round trip mean that no field was
// lost.
TEST(WireTest, EveryRequestSurvivesARoundTrip) {
  const auto requests = EveryRequest();
  ASSERT_EQ(requests.size(), std::variant_size_v<RequestBody>);
  for (size_t i = 0; i < requests.size(); ++i) {
    ASSERT_EQ(requests[i].index(), i);
    const std::string bytes = EncodeRequest(1000 + i, requests[i]);
    const DecodedRequest decoded = DecodeRequest(bytes);
    ASSERT_TRUE(decoded.status.ok()) << decoded.status;
    EXPECT_EQ(decoded.number, 1000 + i);
    EXPECT_EQ(decoded.body.index(), i);
    EXPECT_EQ(EncodeRequest(1000 + i, decoded.body), bytes) << "request " << i;
  }
}

TEST(WireTest, EveryChangeSurvivesARoundTrip) {
  const auto commands = EveryChange();
  ASSERT_EQ(commands.size(), std::variant_size_v<core::ChangeCommand>);
  for (size_t i = 0; i < commands.size(); ++i) {
    const std::string bytes = EncodeRequest(1, commands[i]);
    const DecodedRequest decoded = DecodeRequest(bytes);
    ASSERT_TRUE(decoded.status.ok()) << decoded.status;
    EXPECT_EQ(std::get<core::ChangeCommand>(decoded.body).index(), i);
    EXPECT_EQ(EncodeRequest(1, decoded.body), bytes) << "command " << i;
  }
}

TEST(WireTest, RequestFieldsComeBackWhereTheyWere) {
  const RequestBody body = core::SendMessage{Uin(9), ClientMessageId(10), Uin(11), true, kOddName};
  const auto decoded = DecodeRequest(EncodeRequest(1, body, {12, 13}));
  EXPECT_EQ(decoded.known, (MastershipEpoch{12, 13}));
  const auto& send = std::get<core::SendMessage>(decoded.body);
  EXPECT_EQ(send.from, Uin(9));
  EXPECT_EQ(send.client_message, ClientMessageId(10));
  EXPECT_EQ(send.to, Uin(11));
  EXPECT_TRUE(send.to_group);
  EXPECT_EQ(send.body, kOddName);
}

TEST(WireTest, EveryResponseSurvivesARoundTrip) {
  std::vector<bool> seen(std::variant_size_v<ResponseBody>);
  for (const ResponseBody& response : EveryResponse()) {
    const std::string bytes = EncodeResponse(5, response);
    const auto decoded = DecodeResponse(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->number, 5u);
    EXPECT_EQ(decoded->body.index(), response.index());
    EXPECT_EQ(EncodeResponse(5, decoded->body), bytes) << "response " << response.index();
    seen[response.index()] = true;
  }
  EXPECT_EQ(seen, std::vector<bool>(seen.size(), true));
}

TEST(WireTest, AnErrorKeepsCodeDetailAndHome) {
  Status moved = Status::Moved(Incarnation(2), MastershipEpoch{1, 2}, "ask hk");
  moved.set_detail(99);
  const auto decoded = DecodeResponse(EncodeResponse(5, moved));
  const auto& status = std::get<Status>(decoded->body);
  EXPECT_EQ(status.code(), core::Code::kMoved);
  EXPECT_EQ(status.message(), "ask hk");
  EXPECT_EQ(status.detail(), 99u);
  EXPECT_EQ(status.home(), Incarnation(2));
  EXPECT_EQ(status.epoch(), (MastershipEpoch{1, 2}));
}

TEST(WireTest, AnAnswerTellsWhichRegionsAreBlocked) {
  const auto decoded =
      DecodeResponse(EncodeResponse(5, UinAnswer{Uin(1)}, {7, {Incarnation(2), Incarnation(3)}}));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->blocked.number, 7u);
  EXPECT_EQ(decoded->blocked.regions, (std::vector{Incarnation(2), Incarnation(3)}));
  EXPECT_EQ(DecodeRequest(EncodeRequest(1, HelloRequest{}, {}, Incarnation(9))).from,
            Incarnation(9));
}

TEST(WireTest, EveryTruncationIsRefusedOrSane) {
  for (const RequestBody& request : EveryRequest()) {
    const std::string bytes = EncodeRequest(1, request);
    for (size_t size = 0; size < bytes.size(); ++size) {
      const DecodedRequest decoded = DecodeRequest(std::string_view(bytes).substr(0, size));
      EXPECT_FALSE(decoded.status.ok()) << size << " of " << bytes.size();
    }
  }
  for (const ResponseBody& response : EveryResponse()) {
    const std::string bytes = EncodeResponse(1, response);
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(DecodeResponse(std::string_view(bytes).substr(0, size)).ok());
    }
  }
}

TEST(WireTest, EveryFlippedBitIsSurvived) {
  size_t refused = 0;
  const auto flip_all = [&](std::string bytes, const auto& decode) {
    for (size_t i = 0; i < std::min<size_t>(bytes.size(), 512); ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
        if (!decode(bytes)) ++refused;
        bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
      }
    }
  };
  for (const RequestBody& request : EveryRequest()) {
    flip_all(EncodeRequest(1, request),
             [](const std::string& bytes) { return DecodeRequest(bytes).status.ok(); });
  }
  for (const ResponseBody& response : EveryResponse()) {
    flip_all(EncodeResponse(1, response),
             [](const std::string& bytes) { return DecodeResponse(bytes).ok(); });
  }
  EXPECT_GT(refused, 0u);
}

TEST(WireTest, AnotherVersionIsRefusedWithItsNumberRead) {
  const std::string bytes = core::Encode<wire::Request>([](wire::Request::Builder root) {
    root.setVersion(9);
    root.setNumber(31);
    root.setHello();
  });
  const DecodedRequest decoded = DecodeRequest(bytes);
  EXPECT_EQ(decoded.number, 31u);
  EXPECT_EQ(decoded.status.code(), core::Code::kBadRequest);
  EXPECT_NE(decoded.status.message().find("version 9"), std::string::npos) << decoded.status;
  EXPECT_NE(decoded.status.message().find("speaks version 1"), std::string::npos);
}

TEST(WireTest, AnUnknownKindOfAccountIsRefused) {
  const std::string bytes = core::Encode<wire::Request>([](wire::Request::Builder root) {
    root.setVersion(kClientVersion);
    root.setNumber(31);
    root.initCreateAccount().setCreateKind(2);
  });
  const DecodedRequest decoded = DecodeRequest(bytes);
  EXPECT_EQ(decoded.number, 31u);
  EXPECT_EQ(decoded.status.code(), core::Code::kBadRequest);
}

TEST(WireTest, GroupsThatCannotBeAreRefused) {
  const auto refused = [](const QueueGroups& groups) {
    return !DecodeResponse(EncodeResponse(1, groups)).ok();
  };
  EXPECT_FALSE(refused(TwoGroups()));
  QueueGroups twice = TwoGroups();
  twice.groups[1].id = 2;
  EXPECT_TRUE(refused(twice));
  QueueGroups too_high = TwoGroups();
  too_high.groups[1].id = 86;
  EXPECT_TRUE(refused(too_high));
  QueueGroups too_many = TwoGroups();
  too_many.lacking.resize(3 * core::kGroupsPerRegionMax + 1);
  EXPECT_TRUE(refused(too_many));
  QueueGroups nowhere = TwoGroups();
  nowhere.groups[0].endpoints[2] = "here";
  EXPECT_TRUE(refused(nowhere));
  EXPECT_FALSE(
      DecodeRequest(EncodeRequest(1, AddQueueGroupRequest{2, {"", "tcp://b:1", "tcp://c:1"}}))
          .status.ok());
}

TEST(WireTest, AnUnknownErrorCodeIsRefused) {
  const auto last = static_cast<int>(core::kLastCode);
  for (const int code : {0, last + 1, 65535}) {
    const std::string bytes = core::Encode<wire::Response>([&](wire::Response::Builder root) {
      root.setVersion(kClientVersion);
      root.initError().setCode(static_cast<uint16_t>(code));
    });
    EXPECT_FALSE(DecodeResponse(bytes).ok()) << code;
  }
}

}  // namespace
}  // namespace homeport::router
