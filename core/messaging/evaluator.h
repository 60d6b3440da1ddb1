// Evaluator: turns commands and intents into one stream entry after the other, for one shard of one
// region.
//
// Evaluates against the store plus all effects it drafted and that are not applied yet, in stream
// order, so entries can be pipelined; readers of the store see only what is applied. When the
// writer stops, the evaluator is thrown away with all it drafted.
//
//   Begin --> Execute / Consume ... --> Finish (one entry) --(committed, applied)--> Applied
//
// Pure; not thread safe. Design section 4, and docs/architecture.md for why not a queue per user.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/messaging/commands.h"
#include "core/messaging/entry.h"
#include "core/messaging/options.h"
#include "core/store.h"

namespace homeport::core {

struct EvaluatorOptions {
  Incarnation self;
  ShardId shard;
  uint16_t shards = 8;
  MessagingOptions messaging;
};

class Evaluator {
 public:
  // `store` outlives it. Counters, ids and group members are read from the store when first needed.
  Evaluator(EvaluatorOptions options, const StoreView* store);
  ~Evaluator();

  // Opens an entry written at `now`. REQUIRES: none is open, or draft_empty(): then it starts
  // again.
  void Begin(WallMs now);
  // What the caller is to be told once this entry, and each one finished before it, is committed: a
  // repeated command answers what may stand in an earlier entry that is not committed yet, without
  // drafting anything. A failed status changes nothing and may be told at once. REQUIRES: an entry
  // is open (Consume too).
  CommandResult Execute(const Command& command);
  // Consumes one pending intent. The cursor of `source` comes to stand at it with the entry's
  // Finish, so an entry may end between any two intents, however much one source entry holds for
  // this shard. REQUIRES: (seq, index) > what was consumed of `source`; bytes as in PendingIntent.
  void Consume(StreamId source, Seq seq, uint32_t index, std::string_view pending_intent);
  // An intent of the own stream, for a region that is away, is to stand in table `kept`; or the row
  // with this key no longer. REQUIRES: an entry is open.
  void Keep(Incarnation role, const PendingIntent& intent);
  void DropKept(const std::string& key);
  // Removes what the inboxes of the next few users after `after` need not keep any more. REQUIRES:
  // an entry is open.
  struct Sweep {
    Uin through;        // all users up to here are done; Uin(): those of the whole shard
    bool more = false;  // it ended because enough was removed for one entry
  };
  Sweep TrimInboxes(Uin after);
  // The entry carries this report. REQUIRES: an entry is open and has none.
  void AddReport(Report report);
  // A user or group whose move to here is known begins to be served, once all that its old home had
  // is replayed here. REQUIRES: an entry is open.
  struct Adoption {
    bool done = false;                // else it does not arrive here, or has already, or ...
    std::optional<Position> missing;  // ... not before this is replayed
  };
  Adoption Adopt(Uin uin);
  // Its home has changed: what is remembered of where group members live is looked up again.
  void Learned(Uin uin);
  // What was parked for it here is delivered or sent on, if what is known of it now tells where.
  // REQUIRES: an entry is open.
  void Unpark(Uin uin);
  // Bytes drafted so far; the caller finishes the entry when it is large enough.
  uint64_t draft_bytes() const;
  // True when nothing was drafted that needs an entry (only refused commands or repeated ones).
  bool draft_empty() const;
  // Ends the entry; its effects stay visible to later evaluation until Applied(), called once for
  // each. An empty draft gives an empty string, which is no entry: not to be appended, and no
  // Applied() for it.
  std::string Finish();
  // The oldest finished entry is applied to the store.
  void Applied();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace homeport::core
