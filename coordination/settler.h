// Settler: one compare-and-set until it is known how it ended, whatever the network loses.
//
// Pure: asks the same again, with its token, after each answer that does not tell: the store knows
// what it has done. Not thread safe.
//
//   asked --(not now, unknown)--> waits --> asked ... --(compared, refused)--> settled
//
// What it cannot know: when an answer was lost and someone else has written the row since, the
// writes may have been made before, or never; `perhaps` says so. They are made at most once, as
// long as nobody deletes a row that it expected not to be there.
#pragma once

#include <optional>

#include "coordination/messages.h"
#include "core/time.h"

namespace homeport::coordination {

struct Settled {
  core::Status refused;  // not ok: the store does not take it at all
  bool done = false;
  bool perhaps = false;   // not done as it stands, but it may have been, and was overwritten
  Revision revision;      // done: of the writes
  std::vector<Row> rows;  // not done: as they are
};

class Settler {
 public:
  explicit Settler(CompareAndSet set) : set_(std::move(set)) {}
  // What to ask now. nullopt: it is asked, waits, or is settled.
  std::optional<Request> Next(core::Instant now);
  void OnAnswer(core::Instant now, const Answer& answer);
  const std::optional<Settled>& settled() const { return settled_; }
  // When Next has something, if it only waits.
  std::optional<core::Instant> NextDeadline() const;

 private:
  const CompareAndSet set_;
  bool asked_ = false;
  bool unknown_ = false;  // an earlier one may have been carried out
  core::Instant ask_at_;
  core::Duration pause_{0};
  std::optional<Settled> settled_;
};

// The pause after one: doubles, from 50 ms to 1 s.
core::Duration NextPause(core::Duration pause);

}  // namespace homeport::coordination
