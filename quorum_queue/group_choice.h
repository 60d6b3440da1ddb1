// GroupChoice: which group of the grant a writer's entries go to.
//
//   preferred --(nothing became durable for append_timeout, or two replicas refuse; another is
//                well)--> that one
//   another   --(the same)--> the next;  --(preferred was well all through a hold-off)--> preferred
//
// A group is well when 2 of its 3 replicas have answered lately and do not refuse. One that gets no
// entries is asked by probes: when the current group is late, and while the preferred one is not
// current. The hold-off doubles when the writer has to leave the preferred group soon after it came
// back, and so does the patience when no entry becomes durable in the next group either: groups
// that are half ill cause few switches.
//
// Invariants:
//  (1) a draining group is never current
//  (2) only Next changes the group
//
// Part of Writer. Pure; not thread safe. Design section 3, "Writer, steady state".
#pragma once

#include <optional>
#include <vector>

#include "core/time.h"
#include "quorum_queue/batch_log.h"
#include "quorum_queue/writer.h"

namespace homeport::quorum_queue {

class GroupChoice {
 public:
  // The groups of `grant`; REQUIRES: one of them is active. The first is the preferred one of the
  // options, or the next after it that is active.
  GroupChoice(const WriterOptions& options, const Grant& grant);

  size_t current() const { return current_; }
  size_t preferred() const { return preferred_; }

  // The replica (3 * group + slot) answered something.
  void Heard(core::Instant now, size_t replica) { heard_[replica] = now; }
  // How it stands: `progress` counts batches durable, `outstanding`: there are more, `refusing`:
  // replicas whose last answer was Refused.
  void Observe(core::Instant now, uint64_t progress, bool outstanding, ReplicaSet refusing);
  struct Switch {
    size_t group = 0;
    bool returns = false;  // to the preferred one, because it is well again
    bool operator==(const Switch&) const = default;
  };
  // The group to go on in from now on, if it is another.
  std::optional<Switch> Next(core::Instant now);
  // Replicas to probe now.
  std::vector<size_t> ProbesDue(core::Instant now);
  std::optional<core::Instant> Deadline() const;

 private:
  bool IsLate(core::Instant now) const;
  bool IsUrgent(core::Instant now) const;
  // 2 of 3 have answered since then and do not refuse.
  bool IsWell(size_t group, core::Instant since) const;
  std::optional<size_t> FirstWell(core::Instant now) const;
  core::Duration ProbeInterval(bool urgent) const;
  Switch GoTo(core::Instant now, Switch next);

  // Of WriterOptions.
  const core::Duration append_timeout_;
  const core::Duration return_after_;
  const core::Duration return_after_max_;
  std::vector<bool> active_;  // by group
  size_t preferred_;
  size_t current_;

  std::vector<std::optional<core::Instant>> heard_;  // by replica
  ReplicaSet refusing_ = 0;
  uint64_t progress_ = 0;
  uint64_t progress_max_ = 0;
  std::optional<core::Instant> waiting_since_;  // for more progress
  core::Duration patience_;                     // append_timeout, or more after vain switches

  bool urgent_ = false;                      // when last probed
  std::optional<core::Instant> probed_;      // when; none: nobody is probed
  std::optional<core::Instant> well_since_;  // the preferred group, while another is current
  std::optional<core::Instant> returned_;    // last time
  core::Duration hold_off_;
};

}  // namespace homeport::quorum_queue
