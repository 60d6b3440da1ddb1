// Replayer: follows one stream of another region: keeps its entries in the relay log and applies
// them here.
//
// Pure but for the Store it is given. Feed it events, carry out what it puts into the Outbox.
//
//   FromRelay --(relay log applied to its end)--> Following --(gone at home)--> NeedsBootstrap
//
//   Following, a run:  delivered --> RelayAppend --(on disk)--> applied, entry by entry
//
// Invariants:
//  (1) an entry is applied only when the relay log has it on disk
//  (2) applied() <= end of the relay log <= what the reader delivered; each is contiguous
//  (3) what waits is bounded: past waiting_bytes_max, and while the store refuses writes, the
//      reader is paused
//
// Not thread safe. Design section 5, rules 2 and 3.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "quorum_queue/reader.h"
#include "replicator/applier.h"
#include "replicator/outbox.h"
#include "replicator/run_queue.h"

namespace homeport::replicator {

struct ReplayerOptions {
  StreamId stream;
  core::ApplyContext context;
  Seq relay_end;  // of the relay log, 0 when it has nothing of the stream
  std::vector<uint8_t> replicas = {0, 1, 2};  // of the stream's home, in reading order
  uint64_t reader_credit_bytes = 4 << 20;
  uint64_t session_base = 1;
  uint64_t waiting_bytes_max = 16 << 20;
};

class Replayer {
 public:
  // `store` outlives it.
  Replayer(ReplayerOptions options, core::Store* store);

  // ---- events

  void Start(Instant now, Outbox* out);
  void Answer(Instant now, uint8_t replica, quorum_queue::ReadAnswer answer, Outbox* out);
  // The home has these replicas now.
  void SetReplicas(Instant now, std::vector<uint8_t> replicas, Outbox* out);
  // Answer to LoadRelay. REQUIRES: it was asked for.
  void Loaded(Instant now, quorum_queue::EntryRun run, Outbox* out);
  // Applies entries that the relay log has on disk (tokens up to `persisted`), until about
  // `bytes_max` of payload are done. Returns the bytes.
  uint64_t ApplySome(Instant now, uint64_t persisted, uint64_t bytes_max, Outbox* out);
  // Also tries again what the store refused.
  void Tick(Instant now, uint64_t persisted, Outbox* out);

  // ---- state

  // ApplySome has something to do at once.
  bool more(uint64_t persisted) const {
    return !waiting_.empty() && waiting_.token() <= persisted && !applier_.blocked();
  }
  std::optional<Instant> NextDeadline() const;
  StreamLag Lag() const;
  bool needs_bootstrap() const { return begins_at_.has_value(); }

 private:
  void Follow(Instant now, Outbox* out);
  void StepReader(Instant now, quorum_queue::ReaderEvent event, Outbox* out);
  void PauseOrResume(Instant now, Outbox* out);

  const ReplayerOptions options_;
  Applier applier_;
  RunQueue waiting_;
  Seq received_;          // end of what is in the relay log or given to it
  bool loading_ = false;  // LoadRelay is under way
  std::vector<uint8_t> replicas_;
  uint64_t session_base_;
  std::unique_ptr<quorum_queue::Reader> reader_;  // once following
  bool paused_ = false;
  std::optional<Seq> begins_at_;     // the home has trimmed what comes next; the reader stopped
  std::optional<Seq> held_nowhere_;  // what the reader lacks
  std::vector<quorum_queue::ReaderEffect> effects_;  // kept for its memory
};

}  // namespace homeport::replicator
