// MendFindings: what the looks at one stream found: what each replica lacks and since when, what
// nobody holds, what still stands in draining groups alone.
//
//   Begin --(AddPage, of each page)--> End
//
// A look that is not ended leaves what the last one found. Pure, not thread safe. Part of Mender.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/time.h"
#include "quorum_queue/mend_plan.h"

namespace homeport::quorum_queue {

// Of one replica. What it lacks is not judged anew in a look in which it was silent, or the two
// others were: then it is what was known before and what was committed since.
struct Lack {
  uint64_t entries = 0;
  uint64_t bytes = 0;
  std::optional<core::Instant> since;
  bool silent = false;
  // Of the last look that judged it: up to where, and what was lacking.
  Seq known_through;
  uint64_t known_entries = 0;
  uint64_t known_bytes = 0;
};

class MendFindings {
 public:
  void Begin(const std::vector<Group>& groups);
  // A page of the look: the answers that came, and the plan made of them.
  void AddPage(const std::vector<Group>& groups,
               const std::map<ReplicaSlot, HoldingsAnswer>& answers, MendPlan plan);
  // The look saw all up to `settled`. Returns whether it is the first to find entries held nowhere.
  bool End(core::Instant now, Seq settled);

  // Whether one had answers of two of each group. Until then what a group holds is not known: a
  // copy that is seen nowhere would not be missed.
  bool looked() const { return looked_; }
  // Of the last look that ended.
  const std::map<ReplicaSlot, Lack>& lacking() const { return lacking_; }
  // Of the last that knew: an alarm does not end because a replica fell silent.
  uint64_t held_nowhere() const { return held_nowhere_; }
  // By draining group, of those where every page knew.
  const std::map<uint16_t, uint64_t>& not_drained() const { return not_drained_; }

 private:
  bool looked_ = false;
  std::map<ReplicaSlot, Lack> lacking_;
  uint64_t held_nowhere_ = 0;
  std::map<uint16_t, uint64_t> not_drained_;

  // The look under way.
  struct Look {
    std::map<ReplicaSlot, Lack> lacking;
    std::set<ReplicaSlot> silent;
    std::set<ReplicaSlot> unjudged;            // silent, or only one of its group answered
    bool has_all_groups = true;                // two of each answered, so far
    std::optional<uint64_t> held_nowhere = 0;  // none: some page did not know
    std::map<uint16_t, uint64_t> not_drained;
  };
  Look look_;
};

}  // namespace homeport::quorum_queue
