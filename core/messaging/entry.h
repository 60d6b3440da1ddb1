// Entries of a stream and what applying one changes in a region's store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/messaging/account.h"
#include "core/messaging/options.h"
#include "core/messaging/report.h"
#include "core/status.h"
#include "core/store.h"
#include "core/time.h"

namespace homeport::core {

struct ApplyContext {
  Incarnation self;  // the region that applies
  uint16_t shards = 8;
  PlantedMoveBug move_bug = PlantedMoveBug::kNone;
};

// An intent that waits in this region for one of its shards; also a local row of the store.
struct PendingIntent {
  ShardId shard;  // target
  StreamId source;
  Seq seq;
  uint32_t index = 0;
  std::string bytes;  // wire::PendingIntent
};

// A message that got its place in a group by this entry.
struct Sequenced {
  Uin group;
  MessageId message;
  uint64_t group_seq = 0;
};

// A user or group whose home is another than it was, as far as this store knew.
struct HomeChange {
  Uin uin;
  bool arrives = false;  // its home is this region now, and has not adopted it
};

struct ApplySummary {
  std::vector<Uin> inboxes;            // users with something new to sync, each once, ascending
  std::vector<PendingIntent> pending;  // new, for shards of `self`, in order
  std::vector<Sequenced> sequenced;
  std::vector<HomeChange> moved;
  // Of an own entry: what its adopted users need of other streams.
  std::vector<Position> adopted_deps;
  WallMs written_at{0};
  uint64_t rows = 0;
  uint64_t stale_rows = 0;  // not applied: a row with a higher stamp stood there
  // It changes rows, addresses someone or gives out ids: others have a reason to report that they
  // have it. Reports and bare cursors are none, or reports would answer reports for ever.
  bool work = false;
  std::optional<Report> report;
};

// Adds to `batch` all that entry `seq` of `stream` changes here: rows (by stamp), applied position,
// cursors, pending intents for own shards not consumed yet. An empty payload is a writer's Open:
// only the position. kCorrupt when the payload is no entry of this stream; then `batch` and
// `summary` hold nothing of use. REQUIRES: seq == AppliedSeq(store, stream) + 1; `batch` is written
// before the next entry is applied.
Status ApplyEntry(const StoreView& store, const ApplyContext& context, StreamId stream, Seq seq,
                  std::string_view payload, WriteBatch* batch, ApplySummary* summary);

// An intent of an entry, whoever it is for.
struct EntryIntent {
  Incarnation region;
  PendingIntent intent;
};
// All of them, in order; none when the payload is no entry.
std::vector<EntryIntent> IntentsOfEntry(StreamId stream, Seq seq, std::string_view payload);

// Users and groups that arrive here, of one shard: to be adopted.
std::vector<Uin> LoadArriving(const StoreView& store, ShardId shard);
// Users and groups with live rows that this region parked.
std::vector<Uin> LoadParkedTargets(const StoreView& store, ShardId shard, Incarnation self);

// Position up to which a stream is applied in this store; 0 when never.
Seq AppliedSeq(const StoreView& store, StreamId stream);
// Intents waiting for `shard`, in (source, seq, index) order.
std::vector<PendingIntent> LoadPending(const StoreView& store, ShardId shard);
// The last intent of a source that a shard consumed; with it everything addressed to the shard
// before it.
struct Cursor {
  Seq seq;
  uint32_t index = 0;
  constexpr auto operator<=>(const Cursor&) const = default;
};
// As `index`: all intents of the entry.
inline constexpr uint32_t kWholeEntry = UINT32_MAX;
// Cursor of `shard` in role `role` over `source`; seq 0 when it consumed nothing.
Cursor ReadCursor(const StoreView& store, Incarnation role, StreamId source, ShardId shard);
// The cursor's seq: the stream was applied at least up to there when the shard consumed from it.
Seq ConsumedSeq(const StoreView& store, Incarnation role, StreamId source, ShardId shard);

// XXH3-64 over keys and values of one table of one shard, and its row count: equal in all regions
// that applied the same entries.
struct TableDigest {
  ShardId shard;
  std::string table;  // "account", "name", ...
  uint64_t rows = 0;
  uint64_t digest = 0;
};
std::vector<TableDigest> DigestShard(const StoreView& store, ShardId shard);

}  // namespace homeport::core
