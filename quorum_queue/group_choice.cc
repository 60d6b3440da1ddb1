#include "quorum_queue/group_choice.h"

#include <algorithm>

#include "core/check.h"

namespace homeport::quorum_queue {

using core::Duration;
using core::Instant;

namespace {

constexpr int kPatienceFactorMax = 16;

// From `first` on, the first active group.
size_t FirstActive(const std::vector<bool>& active, size_t first) {
  for (size_t i = 0; i < active.size(); ++i) {
    const size_t group = (first + i) % active.size();
    if (active[group]) return group;
  }
  CHECK(false, "a grant has a group that is not draining", active.size());
  return 0;
}

std::vector<bool> ActiveGroups(const Grant& grant) {
  CHECK(!grant.groups.empty() && grant.groups.size() <= kGroupsMax, "a grant names 1 .. 21 groups",
        grant.groups.size());
  std::vector<bool> active;
  for (const Group& group : grant.groups) active.push_back(group.state == GroupState::kActive);
  return active;
}

}  // namespace

GroupChoice::GroupChoice(const WriterOptions& options, const Grant& grant)
    : append_timeout_(options.append_timeout),
      return_after_(options.return_after),
      return_after_max_(std::max(options.return_after, options.return_after_max)),
      active_(ActiveGroups(grant)),
      preferred_(FirstActive(active_, options.preferred_group % active_.size())),
      current_(preferred_),
      heard_(3 * grant.groups.size()),
      patience_(options.append_timeout),
      hold_off_(options.return_after) {
  CHECK(append_timeout_ >= std::chrono::milliseconds(4) &&
            return_after_ >= std::chrono::milliseconds(4),
        "a group gets some time to answer");
}

void GroupChoice::Observe(Instant now, uint64_t progress, bool outstanding, ReplicaSet refusing) {
  refusing_ = refusing;
  if (!outstanding || progress > progress_max_) patience_ = append_timeout_;
  if (!outstanding) {
    waiting_since_.reset();
  } else if (!waiting_since_ || progress != progress_) {
    waiting_since_ = now;
  }
  progress_ = progress;
  progress_max_ = std::max(progress_max_, progress);
}

bool GroupChoice::IsLate(Instant now) const {
  if (!waiting_since_) return false;
  // After a vain switch a refusal alone does not lead on to the next group at once.
  const bool refused = HasQuorum(refusing_, current_) && patience_ == append_timeout_;
  return refused || now - *waiting_since_ >= patience_;
}

bool GroupChoice::IsUrgent(Instant now) const {
  return waiting_since_ &&
         (HasQuorum(refusing_, current_) || now - *waiting_since_ >= patience_ / 2);
}

bool GroupChoice::IsWell(size_t group, Instant since) const {
  ReplicaSet well = 0;
  for (size_t r = 3 * group; r < 3 * group + 3; ++r) {
    if (heard_[r] && *heard_[r] >= since) well |= ReplicaSet{1} << r;
  }
  return HasQuorum(well & ~refusing_, group);
}

std::optional<size_t> GroupChoice::FirstWell(Instant now) const {
  for (size_t i = 0; i < active_.size(); ++i) {
    const size_t group = (preferred_ + i) % active_.size();
    if (group != current_ && active_[group] && IsWell(group, now - append_timeout_)) return group;
  }
  return std::nullopt;
}

std::optional<GroupChoice::Switch> GroupChoice::Next(Instant now) {
  if (IsLate(now)) {
    const std::optional<size_t> next = FirstWell(now);
    if (!next) return std::nullopt;
    return GoTo(now, {*next, false});
  }
  if (current_ == preferred_ || !well_since_ || now - *well_since_ < hold_off_ ||
      patience_ > append_timeout_) {
    return std::nullopt;
  }
  return GoTo(now, {preferred_, true});
}

GroupChoice::Switch GroupChoice::GoTo(Instant now, Switch next) {
  if (next.returns) {
    returned_ = now;
  } else {
    if (current_ == preferred_) {
      const bool soon = returned_ && now - *returned_ < 4 * hold_off_;
      hold_off_ = soon ? std::min(2 * hold_off_, return_after_max_) : return_after_;
    }
    patience_ = std::min(2 * patience_, kPatienceFactorMax * append_timeout_);
  }
  current_ = next.group;
  if (waiting_since_) waiting_since_ = now;
  well_since_.reset();
  probed_.reset();
  return next;
}

Duration GroupChoice::ProbeInterval(bool urgent) const {
  return (urgent ? append_timeout_ : return_after_) / 4;
}

std::vector<size_t> GroupChoice::ProbesDue(Instant now) {
  std::vector<size_t> due;
  const bool urgent = active_.size() > 1 && IsUrgent(now);
  if (!urgent && current_ == preferred_) {
    probed_.reset();
    return due;
  }
  if (probed_ && urgent_ == urgent && now < *probed_ + ProbeInterval(urgent)) return due;
  if (current_ != preferred_ && probed_) {
    if (!IsWell(preferred_, *probed_)) {
      well_since_.reset();
    } else if (!well_since_) {
      well_since_ = now;
    }
  }
  probed_ = now;
  urgent_ = urgent;
  for (size_t r = 0; r < heard_.size(); ++r) {
    const size_t group = r / 3;
    if (group == current_ || !active_[group]) continue;
    if (urgent || group == preferred_) due.push_back(r);
  }
  return due;
}

std::optional<Instant> GroupChoice::Deadline() const {
  if (active_.size() == 1) return std::nullopt;
  std::optional<Instant> first;
  if (probed_) first = *probed_ + ProbeInterval(urgent_);
  // Once it is urgent the probes' interval is short enough to see that the patience is at an end.
  if (waiting_since_ && !(probed_ && urgent_)) {
    const Instant urgent_at = *waiting_since_ + patience_ / 2;
    if (!first || urgent_at < *first) first = urgent_at;
  }
  return first;
}

}  // namespace homeport::quorum_queue
