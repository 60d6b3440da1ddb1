// Views: what a region shows its clients, as plain structs. Shared by gateway, wire and client.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/messaging/account.h"
#include "core/messaging/operations.h"
#include "core/messaging/queries.h"
#include "core/messaging/records.h"
#include "core/messaging/sync.h"

namespace homeport::router {

struct GatewayAddress {
  std::string region;
  core::Incarnation incarnation;
  std::string endpoint;
};
// Regions that clients are not to be sent to, as of the orders known where it was told.
struct BlockedRegions {
  uint64_t number = 0;  // rises with every order
  std::vector<core::Incarnation> regions = {};
};
// How a record is read, as PNUTS has it: the copy of whoever is asked, one with at least the
// version that is named, or the home's.
enum class ReadLevel : uint8_t { kAny = 0, kCritical = 1, kLatest = 2 };
struct RecordWritten {
  bool changed = false;
  core::Stamp version;  // Stamp(): not known, of what was executed before and answered again
};
struct AccountView : core::AccountInfo {
  std::string home_region;
  uint64_t members = 0;  // of a group
};
struct SyncedMessage : core::SyncMessage {
  std::string sender_name;
  std::string group_name;
  std::string subject_name;  // of an event
};
struct ContactView {
  core::Uin peer;
  std::string peer_name;
  core::Relation relation = core::Relation::kNone;
  std::string text;
  bool blocked = false;
  std::string remark;
  int64_t changed_at_ms = 0;
};
struct ConversationView : core::SyncConversation {
  std::string with_name;
};
struct SyncResult {
  // When the account changed.
  std::optional<AccountView> account;
  std::vector<core::SyncDevice> devices;
  std::vector<ContactView> contacts;            // that changed
  std::vector<ConversationView> conversations;  // whose positions changed
  std::vector<SyncedMessage> messages;
  std::string snapshot;
  bool more = false;
};
// How far a device has a team's table of its user: the snapshot of its last sync of it.
struct RecordsPlace {
  std::string table;
  std::string snapshot;  // empty: there is always news
};
// Of AwaitNews.
struct NewsAnswer {
  bool news = false;                      // a sync would bring something
  bool replaced = false;                  // a newer request of the same device waits now
  std::vector<std::string> records = {};  // tables, of those asked for, that have something
};
struct RegionReport {
  std::string region;
  core::Incarnation incarnation;
  uint32_t pid = 0;
  bool ready = false;
  std::string writes_refused;  // why it accepts none; empty: it does
  struct Shard {
    core::ShardId shard;
    bool ready = false;
    std::string why_not;
    uint64_t epoch = 0, committed = 0, applied = 0, commands_queued = 0, intents_pending = 0;
  };
  struct Stream {
    core::StreamId stream;
    uint64_t applied = 0, committed = 0;
    int64_t heard_ms_ago = -1, applied_written_at_ms = 0;
    uint64_t trimmed = 0;
    uint64_t begins_at = 0;     // not 0: it lacks entries before this one, and they are gone
    uint64_t held_nowhere = 0;  // not 0: an alarm
  };
  struct Away {
    core::Incarnation region;
    core::StreamId stream;
    bool needs_bootstrap = false;
  };
  std::vector<Shard> shards;
  std::vector<Stream> streams;
  std::vector<Away> away;  // regions that own streams do not wait for
  // What operators ordered of regions, of each region and kind the last, as far as it is known.
  std::vector<core::RegionState> states = {};
};
// A page of the journal; more: the next one begins after its last record.
struct JournalPage {
  std::vector<core::JournalRecord> records;
  bool more = false;
};

// The groups of a region's queue, as its grant record has them.
struct QueueGroup {
  uint32_t id = 0;
  bool draining = false;
  std::array<uint64_t, 3> disks = {};
  std::array<std::string, 3> endpoints = {};
  std::string why_not_retired;  // of a draining one: what it still waits for
};
// What a replica does not have of what was committed, all streams together.
struct ReplicaLack {
  uint32_t replica = 0;  // its number, from 1
  bool silent = false;   // it did not answer when it was asked last
  uint64_t entries = 0;
  uint64_t bytes = 0;
  uint64_t for_ms = 0;
};
struct QueueGroups {
  std::vector<QueueGroup> groups;  // ids ascend
  uint32_t last_group = 0;         // the highest id ever given
  bool settled = false;            // the writer of every stream is open and knows these groups
  // Whether every stream was looked at: else a replica that is not named may lack something, too.
  bool looks_complete = false;
  std::vector<ReplicaLack> lacking;
  uint64_t held_nowhere = 0;  // committed entries that no replica has: an alarm
};
struct GroupOrderResult {
  uint32_t group = 0;
  bool changed = false;  // false: it was so already
};

}  // namespace homeport::router
