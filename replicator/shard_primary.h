// ShardPrimary: the one that writes a shard's stream. Evaluates commands and intents into entries,
// appends them, and once an entry is committed applies it and answers its callers.
//
// Pure but for the Store it is given. Feed it events, carry out what it puts into the Outbox.
//
//   CatchingUp --(applied: own stream to Open, and what it consumed)--> Ready --(fenced)--> Stopped
//
//   Ready, a new grant:  --(nothing under way)--> another writer takes over --(Open)--> goes on
//
//   a command:  queued --(turn ends)--> evaluated --> in flight --(committed)--> applied --> Done
//                   \--(command_timeout)--> Done(kNoQuorum); a late commit is silent
//
// Invariants:
//  (1) commands are evaluated, and answered, in the order of their arrival
//  (2) an answer leaves when every entry drafted before it, its own included, is applied
//  (3) intents of one source are consumed in their order, each once
//  (4) a user that moves here is served from its Adopt on, which is drafted when all that its old
//      home had is applied here; after a restart all that is applied again before the shard serves
//  (5) nothing is evaluated while an entry waits for room in the writer's window, or a new grant
//  for
//      its writer
//
// Not thread safe. Design section 4.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/messaging/evaluator.h"
#include "quorum_queue/reader.h"
#include "quorum_queue/writer.h"
#include "replicator/applier.h"
#include "replicator/intent_keeper.h"
#include "replicator/outbox.h"
#include "replicator/run_queue.h"
#include "replicator/sweep.h"

namespace homeport::replicator {

struct ShardPrimaryOptions {
  Incarnation self;
  ShardId shard;
  uint16_t shards = 8;
  std::vector<StreamId> streams;  // all, own included: what intents may come from
  quorum_queue::WriterOptions writer;
  uint64_t reader_credit_bytes = 4 << 20;
  uint64_t session_base = 1;
  uint64_t entry_bytes_max = 512 << 10;
  size_t entries_in_flight_max = 64;
  size_t entries_per_turn_max = 4;  // past that other parts of the region get their turn
  size_t commands_queued_max = 20000;
  core::Duration command_timeout = std::chrono::seconds(5);
  core::MessagingOptions messaging;
  SweepOptions sweep;
};

class ShardPrimary {
 public:
  // Takes over the stream with `grant` from the first Tick on. `store` outlives it.
  ShardPrimary(ShardPrimaryOptions options, core::Store* store, quorum_queue::Grant grant);

  // ---- events

  void Answer(Instant now, uint8_t replica, quorum_queue::ReplicaAnswer answer, Outbox* out);
  void Execute(Instant now, Ticket ticket, core::Command command, Outbox* out);
  // An applied entry has this intent for this shard. Again is harmless, and before the shard is
  // ready it is found in the store.
  void AddPending(core::PendingIntent intent);
  // An applied entry, of whatever stream, changed somebody's home. Before the shard is ready it is
  // found in the store.
  void Learned(const core::HomeChange& change);
  // The stream is taken over with this grant by another writer, at the end of a turn with nothing
  // under way. An older one is ignored.
  void Regrant(quorum_queue::Grant grant);
  // Evaluates what waits and sends it.
  void EndOfTurn(Instant now, core::WallMs wall, Outbox* out);
  void Tick(Instant now, Outbox* out);
  // Entries of the own stream up to `through` may go: once the stream is open, at the end of a
  // turn. REQUIRES: applied.
  void Trim(Seq through) { trim_ = std::max(trim_, through); }
  // Regions that this stream does not wait for. REQUIRES: ready().
  void SetAway(Instant now, const std::vector<AwayIntents>& away, Outbox* out);
  // The next entry carries it. REQUIRES: ready().
  void Report(core::Report report);
  // The region stops: every waiting command is answered, nothing happens any more.
  void Stop(const std::string& why, Outbox* out);

  // ---- state

  std::optional<Instant> NextDeadline() const;
  // Up to where the intents for an away region need no entry of this stream any more.
  Seq KeptThrough(Incarnation region) const { return keeper_.through(region); }
  // EndOfTurn has more to do at once.
  bool more() const { return more_; }
  bool ready() const { return evaluator_ != nullptr && !stopped_; }
  // Of the intents in memory, and of those that this life put into the store while it did not
  // serve.
  uint64_t pending_bytes() const { return pending_bytes_ + stored_pending_bytes_; }
  // It serves once other streams are replayed here again.
  bool awaits() const { return awaited_.has_value() && !ready(); }
  // Lowers (*first)[source] to the lowest seq of it with an intent for this shard that no applied
  // entry consumed. REQUIRES: ready().
  void AddUnconsumed(std::map<StreamId, Seq>* first) const;
  ShardStatus Status() const;
  StreamLag Lag() const;

 private:
  struct Queued {
    Ticket ticket;
    Instant deadline;
    core::Command command;
  };
  // Evaluated, not answered.
  struct Waiting {
    Ticket ticket;
    Instant deadline;
    core::CommandResult result;
  };
  struct InFlight {
    Seq seq;  // 0: not submitted yet, the writer's window is full
    std::string payload;
    size_t commands = 0;               // how many of waiting_, from the front, are answered with it
    std::map<StreamId, Seq> consumes;  // by source, the lowest seq
    IntentKeeper::Progress kept;       // what the intent keeper has come to with it
    bool is_open = false;              // of a writer with a new grant; nothing was drafted
  };
  // Intents from one stream.
  struct Source {
    std::deque<core::PendingIntent> intents;
    core::Cursor through;  // the last one taken in
  };
  struct Awaited {
    StreamId stream;
    Seq seq;
  };

  void StepWriter(Instant now, quorum_queue::WriterEvent event, Outbox* out);
  void StepReader(Instant now, quorum_queue::ReaderEvent event, Outbox* out);
  void Opened(Instant now, Seq open, Outbox* out);
  void Reopened(Seq open, Outbox* out);
  void StartReader(Seq from);
  void TakeOverIfRegranted(Instant now, Outbox* out);
  void CatchUp(Instant now, Outbox* out);
  void BecomeReady(Outbox* out);

  bool HasWork() const {
    return !queued_.empty() || pending_count_ > 0 || report_.has_value() || keeper_.HasWork() ||
           sweep_due_ || !arriving_.empty() || !unpark_.empty();
  }
  bool HasRoom() const;
  void DraftEntry(Instant now, core::WallMs wall, Outbox* out);
  std::map<StreamId, Seq> ConsumePending(Outbox* out);
  void ExecuteQueued(Outbox* out);
  void LookAtArriving();
  void AdoptArriving(Outbox* out);
  void SubmitLast(Outbox* out);

  void ApplyCommitted(Instant now, Outbox* out);
  void AnswerFirst(size_t commands, Outbox* out);
  void AnswerExpired(Instant now, Outbox* out);
  std::string WhyNot() const;
  std::vector<uint8_t> WaitingFor(const quorum_queue::WriterStatus& writer) const;
  StreamId stream() const { return {options_.self, options_.shard}; }

  const ShardPrimaryOptions options_;
  core::Store* store_;
  RegionReplicas replicas_;  // of the grant
  std::unique_ptr<quorum_queue::Writer> writer_;
  std::optional<quorum_queue::Grant> regrant_;  // for the next writer
  Applier applier_;
  const Seq applied_at_start_;
  std::vector<quorum_queue::WriterEffect> writer_effects_;  // kept for their memory
  std::vector<quorum_queue::ReaderEffect> reader_effects_;
  bool stopped_ = false;
  std::optional<Instant> heard_;

  // ---- catching up
  // Of the own stream, until it is applied to open_.
  std::unique_ptr<quorum_queue::Reader> reader_;
  bool reader_paused_ = false;
  uint64_t sessions_;  // of the next reader, from here
  RunQueue catch_up_;
  std::optional<Seq> open_;                      // of writer_
  std::optional<std::vector<Awaited>> awaited_;  // consumed, to be applied again
  std::map<StreamId, Seq> adopted_deps_;         // what users adopted in entries replayed now need
  std::optional<Seq> trimmed_;                   // the stream begins after what is applied
  std::optional<Seq> held_nowhere_;              // what the reader lacks

  // ---- ready
  std::unique_ptr<core::Evaluator> evaluator_;
  std::deque<Queued> queued_;
  std::deque<Waiting> waiting_;
  size_t waiting_told_ = 0;  // the first ones were told that they timed out
  std::map<StreamId, Source> sources_;
  StreamId last_source_;            // where the last turn of consuming ended
  std::deque<core::Uin> arriving_;  // may have all that they need
  std::map<StreamId, std::multimap<Seq, core::Uin>> arriving_later_;  // by what they lack first
  std::deque<core::Uin> unpark_;  // what is parked for them may have somewhere to go
  IntentKeeper keeper_;
  std::optional<Sweep> sweep_;
  bool sweep_due_ = false;
  std::optional<core::Report> report_;  // not drafted yet
  Seq trim_;                            // may go
  Seq trim_told_;                       // the writer knows
  size_t pending_count_ = 0;
  uint64_t pending_bytes_ = 0;
  uint64_t stored_pending_bytes_ = 0;  // not in memory yet
  std::deque<InFlight> in_flight_;
  uint64_t in_flight_bytes_ = 0;
  Seq committed_;
  bool flush_ = false;  // submitted since the last flush
  bool more_ = false;
};

}  // namespace homeport::replicator
