// Region: the protocol half of a region daemon. Its shard primaries write this region's streams,
// its replayers follow those of all other regions, intents are consumed, and one store holds all.
//
// Pure but for the Store it is given: no sockets, files, clock, threads or randomness. Feed it
// events, carry out its effects.
//
//   command --> ShardPrimary --(entry)--> Writer --(committed)--> applied --> Done
//   stream of another region --> Replayer --> relay log --(RelayPersisted)--> applied
//   an applied entry's intents for this region --> the target shard's next entry
//
// Invariants:
//  (1) an entry is applied once, in order, in one batch with its position
//  (2) an entry of another region is applied only when the relay log has it on disk, so what a
//      shard consumed can always be replayed here without the wide-area network
//  (3) Done leaves after the command's entry is committed and applied
//  (4) a shard serves (ready) only when its own stream is applied up to its writer's Open, and
//      every position it consumed is applied again
//
// Not thread safe. Design sections 4 and 5.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/config.h"
#include "core/messaging/commands.h"
#include "core/messaging/entry.h"
#include "core/store.h"
#include "core/time.h"
#include "quorum_queue/grants.h"
#include "quorum_queue/messages.h"
#include "quorum_queue/writer.h"
#include "replicator/region_replicas.h"
#include "replicator/sweep.h"
#include "replicator/trimmer.h"

namespace homeport::replicator {

// Names a command until its Done; chosen by the caller, never reused.
using Ticket = core::StrongInt<struct TicketTag, uint64_t>;

struct RegionOptions {
  Incarnation self;
  std::vector<Incarnation> regions;  // all, self included
  // Of the other regions, as far as known; where it is not named: group 1.
  std::map<Incarnation, RegionReplicas> replicas;
  uint16_t shards = 8;
  quorum_queue::WriterOptions writer;                        // `stream` is set per shard
  uint64_t reader_credit_bytes = 4 << 20;                    // per followed stream
  uint64_t session_base = 1;                                 // of readers; random per process
  uint64_t entry_bytes_max = 512 << 10;                      // a draft is finished at this size
  size_t commands_queued_max = 20000;                        // per shard; past that OVERLOADED
  core::Duration command_timeout = std::chrono::seconds(5);  // then NO_QUORUM, outcome unknown
  // Intents of other regions that wait for own shards, in memory, or in the store while a shard
  // does not serve; past that nothing is replayed.
  uint64_t pending_bytes_max = 64 << 20;
  core::Duration flush_every = std::chrono::seconds(10);  // of the store, while there is news
  // What one own stream keeps for a region that does not follow; 0: for ever.
  uint64_t retention_bytes = 0;
  core::Duration retention_time{0};  // of this daemon's running
  core::MessagingOptions messaging;
  SweepOptions sweep;  // of inboxes
  PlantedTrimBug trim_bug = PlantedTrimBug::kNone;
};

// Where a followed stream's relay log ends, from the driver's recovery. One per stream it holds.
struct RelayEnd {
  StreamId stream;
  Seq last;
};

// ---- events

// From replica `replica` (its number: RegionReplicas) of region `region`.
struct QueueAnswer {
  Incarnation region;
  uint8_t replica = 0;
  quorum_queue::ReplicaAnswer answer;
};
struct Execute {
  Ticket ticket;
  core::Command command;
};
// The groups of this region have changed: every own stream is taken over with this grant, once what
// is under way is committed. Callers are answered as ever, a little later.
struct Regrant {
  quorum_queue::Grant grant;
};
// Another region has these replicas now.
struct ReplicasChanged {
  Incarnation region;
  RegionReplicas replicas;
};
// All relay appends up to this token are on disk.
struct RelayPersisted {
  uint64_t token = 0;
};
// Answer to LoadRelay: entries from the asked seq on, in order; empty when there are no more.
struct RelayLoaded {
  StreamId stream;
  quorum_queue::EntryRun run;
};
// Answer to FlushStore: what the store held then is on disk, or not.
struct StoreFlushed {
  bool ok = false;
};
// End of the driver's turn: what came in is evaluated and sent now. `wall` goes into entries.
struct EndOfTurn {
  core::WallMs wall{0};
};
// NextDeadline has come. It may lie in the past when a turn left work over: then tick and end the
// turn at once.
struct RegionTick {};
using RegionEvent = std::variant<QueueAnswer, Execute, Regrant, ReplicasChanged, RelayPersisted,
                                 RelayLoaded, StoreFlushed, EndOfTurn, RegionTick>;

// ---- effects

struct SendToQueue {
  Incarnation region;
  uint8_t replica = 0;
  quorum_queue::ReplicaRequest request;
};
// Append to the relay log; RelayPersisted(token) when it is on disk. Tokens ascend by 1.
struct RelayAppend {
  uint64_t token = 0;
  StreamId stream;
  quorum_queue::EntryRun run;
};
// Read the relay log from `from` on (at start, before following resumes).
struct LoadRelay {
  StreamId stream;
  Seq from;
};
// Make all that the store has now durable; one at a time, each answered by StoreFlushed.
struct FlushStore {};
// Entries of `stream` up to `through` are not needed from the relay log any more.
struct ReleaseRelay {
  StreamId stream;
  Seq through;
};
struct Done {
  Ticket ticket;
  core::CommandResult result;
};
// These users have something new to sync; these messages got their place in a group.
struct News {
  std::vector<core::Uin> inboxes;
  std::vector<core::Sequenced> sequenced;
};
// A writer was fenced or the store failed: the process must end (and start again).
struct MustStop {
  std::string why;
};
// A rare branch, for log, metric and tests.
struct Note {
  std::string kind;    // "takeover_done", "held_nowhere", ...
  std::string detail;  // key=value ...
};
using RegionEffect = std::variant<SendToQueue, RelayAppend, LoadRelay, FlushStore, ReleaseRelay,
                                  Done, News, MustStop, Note>;

// ---- status

struct StreamLag {
  StreamId stream;
  Seq applied;
  Seq committed;                       // highest heard of
  std::optional<Instant> heard;        // last word from the stream's replicas
  core::WallMs applied_written_at{0};  // when the last applied entry was written at its home
  Seq trimmed;                         // up to here, from own replicas or from the relay log
  // It stands still for good: its home has trimmed what this region lacks; it begins here now.
  std::optional<Seq> begins_at;
  // An alarm: committed, and no replica of its home has it.
  std::optional<Seq> held_nowhere;
};
// A region that this one's stream does not wait for.
struct AwayStatus {
  Incarnation region;
  StreamId stream;
  bool needs_bootstrap = false;  // entries that it lacks are gone
};
struct ShardStatus {
  ShardId shard;
  bool ready = false;
  std::string why_not;  // "waits for replica 2", ...
  quorum_queue::WriterStatus writer;
  std::vector<uint8_t> waiting_for;  // numbers of the writer's waiting_for
  std::optional<Seq> open;           // of this writer, once it is committed
  Seq applied;
  size_t commands_queued = 0;
  size_t intents_pending = 0;
};
struct RegionStatus {
  std::vector<ShardStatus> shards;
  std::vector<StreamLag> streams;  // all streams: own and followed
  std::vector<AwayStatus> away;
};
struct RegionStats {
  uint64_t commands = 0;
  uint64_t entries_appended = 0;
  uint64_t entries_applied = 0;
  uint64_t rows_applied = 0;
  uint64_t intents_consumed = 0;
  uint64_t adopted = 0;  // users and groups that came to live here
  uint64_t stale_rows = 0;
  uint64_t bytes_replayed = 0;
  std::vector<uint64_t> errors_by_code;  // index: Code
};

class Region {
 public:
  // Takes over all own streams, one grant each, and follows all others. `store` outlives it.
  Region(RegionOptions options, core::Store* store, std::vector<quorum_queue::Grant> grants,
         std::vector<RelayEnd> relay);
  ~Region();

  void Step(Instant now, RegionEvent event, std::vector<RegionEffect>* effects);
  std::optional<Instant> NextDeadline() const;

  bool ready() const;  // all shards
  RegionStatus Status() const;
  const RegionStats& stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace homeport::replicator
