// Wire: what clients and gateways say to one another, as plain structs, and their bytes
// (client.capnp).
//
// Decoding takes any bytes: what is malformed, of another version or out of range is kBadRequest,
// never a crash. Pure; thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/messaging/commands.h"
#include "core/messaging/entry.h"
#include "core/status.h"
#include "router/views.h"

namespace homeport::router {

inline constexpr uint16_t kClientVersion = 1;
inline constexpr uint64_t kRequestBytesMax = 256 << 10;
inline constexpr uint64_t kResponseBytesMax = 64 << 20;

// ---- requests; commands are core's own

struct HelloRequest {};
struct ResolveRequest {
  core::AccountKind kind = core::AccountKind::kUser;
  std::string name;
};
struct AwaitSequencedRequest {
  core::Uin group;
  core::Uin sender;
  core::ClientMessageId client_message;
  uint32_t wait_ms = 0;
};
struct ShowRequest {
  core::Uin uin;
};
struct ListRequest {
  core::AccountKind kind = core::AccountKind::kUser;
  core::ShardId shard;
  core::Uin after;
  uint32_t limit = 0;
};
struct MembersRequest {
  core::Uin group;
  core::Uin after;
  uint32_t limit = 0;
};
struct SyncRequest {
  core::Uin user;
  std::string snapshot;
  uint32_t items_max = 0;
  uint32_t bytes_max = 0;
  uint32_t wait_ms = 0;
  core::DeviceNumber device{};  // 0: no device
};
struct StatusRequest {};
struct DigestRequest {
  core::ShardId shard;
};
// Held until a sync with this snapshot would bring something. One per device but device 0: a newer
// one replaces it.
struct AwaitNewsRequest {
  core::Uin user;
  core::DeviceNumber device{};
  std::string snapshot;  // empty: there is always news
  uint32_t wait_ms = 0;
  // Of these tables of records, too; at most core::kRecordTablesMax.
  std::vector<RecordsPlace> records = {};
};
// Forgets the held request that has this number. The only one that is not answered.
struct CancelRequest {};
// What changed of a user's records in one table, as a sync of its own.
struct RecordsRequest {
  core::Uin user;
  std::string table;
  std::string snapshot;
  uint32_t items_max = 0;
  uint32_t bytes_max = 0;
  uint32_t wait_ms = 0;
};
// Of the region's queue (docs/quorum_queue.md, "Groups").
struct QueueGroupsRequest {};
struct AddQueueGroupRequest {
  uint32_t group = 0;                    // its number, the next one
  std::array<std::string, 3> endpoints;  // of its replicas
};
struct DrainQueueGroupRequest {
  uint32_t group = 0;
};
struct JournalRequest {
  core::JournalPlace after;
};
// One record of a team's table.
struct ReadRecordRequest {
  core::Uin user;
  std::string table;
  std::string key;
  ReadLevel level = ReadLevel::kLatest;
  core::Stamp at_least = {};  // kCritical
};
using RequestBody =
    std::variant<HelloRequest, core::NewUin, ResolveRequest, core::ClaimName, core::CreateAccount,
                 core::SendMessage, AwaitSequencedRequest, core::JoinGroup, core::LeaveGroup,
                 ShowRequest, ListRequest, MembersRequest, SyncRequest, StatusRequest,
                 DigestRequest, core::ChangeCommand, AwaitNewsRequest, CancelRequest,
                 QueueGroupsRequest, AddQueueGroupRequest, DrainQueueGroupRequest, RecordsRequest,
                 core::OrderRegion, core::WriteJournal, JournalRequest, ReadRecordRequest>;

struct DecodedRequest {
  core::Status status;             // why there is no body
  std::optional<uint64_t> number;  // if it could be read
  RequestBody body;                // when status is ok
  // Epoch of the home of whom it is about, as far as who asks was told.
  core::MastershipEpoch known = {};
  core::Incarnation from = {};  // the region that the client is nearest to; 0: not known
};
std::string EncodeRequest(uint64_t number, const RequestBody& body,
                          core::MastershipEpoch known = {}, core::Incarnation from = {});
DecodedRequest DecodeRequest(std::string_view bytes);

// ---- responses

struct HelloAnswer {
  std::string cluster;
  std::string region;
  core::Incarnation incarnation;
  uint16_t shards = 0;
  std::vector<GatewayAddress> regions;
  uint32_t pid = 0;
};
struct UinAnswer {
  core::Uin uin;
};
struct ChangedAnswer {
  bool changed = false;
  core::Stamp version = {};  // of the record, when one was put or deleted
};
struct WrittenAnswer {
  uint64_t number = 0;  // of a record of the journal
};
struct ResolvedAnswer {
  std::optional<AccountView> account;
  core::Uin bound;  // the name is bound to it, but its account is not known here; else 0
};
struct SentAnswer {
  core::MessageId message;
};
struct SequencedAnswer {
  std::optional<uint64_t> group_seq;
};
struct AccountsAnswer {
  std::vector<AccountView> accounts;
  core::Uin next{};  // the next page begins after this; 0: there is none. A page may be empty.
};
struct MembersAnswer {
  std::vector<core::Uin> members;
  core::Uin next{};  // as AccountsAnswer's
};
struct DigestAnswer {
  std::vector<core::TableDigest> tables;
};
struct DeviceAnswer {
  core::DeviceNumber device;
};
// A failed Status is an error. The home_region of accounts and the incarnation of a report are not
// sent: the client knows the regions.
using ResponseBody =
    std::variant<core::Status, HelloAnswer, UinAnswer, ChangedAnswer, ResolvedAnswer, SentAnswer,
                 SequencedAnswer, AccountsAnswer, MembersAnswer, SyncResult, RegionReport,
                 DigestAnswer, DeviceAnswer, NewsAnswer, QueueGroups, GroupOrderResult,
                 core::RecordsPage, WrittenAnswer, JournalPage, core::RecordRead>;
struct Response {
  uint64_t number = 0;
  ResponseBody body;
  BlockedRegions blocked = {};
};
std::string EncodeResponse(uint64_t number, const ResponseBody& body,
                           const BlockedRegions& blocked = {});
core::Result<Response> DecodeResponse(std::string_view bytes);

}  // namespace homeport::router
