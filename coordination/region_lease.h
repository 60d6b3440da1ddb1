// RegionLease: a region's lease, as the row that others see: leases/00007. While it Holds, the row
// is there; when the row is gone, the region has known for a while that it no longer holds.
//
// Pure: feed it answers, one question at a time. Not thread safe.
//
//   none --(lease granted)--> the row is written --> held --(kept alive)--> held --(ended)--> none
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "coordination/lease_keeper.h"
#include "coordination/record_change.h"
#include "core/ids.h"

namespace homeport::coordination {

std::string LeaseKey(core::Incarnation incarnation);

class RegionLease {
 public:
  // `token`: at random; the numbers after it are its own, too.
  RegionLease(core::Incarnation incarnation, std::chrono::seconds ttl, Token token)
      : incarnation_(incarnation), token_(token), keeper_(ttl) {}
  // What to ask now. nullopt: it is asked, or not yet time.
  std::optional<Request> Next(core::Instant now);
  void OnAnswer(core::Instant now, const Answer& answer);
  std::optional<core::Instant> NextDeadline() const;
  bool Holds(core::Instant now) const {
    return keeper_.Holds(now) && written_with_ == keeper_.lease();
  }
  core::Instant holds_until() const { return keeper_.holds_until(); }

 private:
  enum class Asked : uint8_t { kNothing, kLease, kRow };

  const core::Incarnation incarnation_;
  Token token_;
  LeaseKeeper keeper_;
  Asked asked_ = Asked::kNothing;
  LeaseId writing_with_;
  std::unique_ptr<RecordChange> write_;  // null: nothing is to be written
  LeaseId written_with_;
};

}  // namespace homeport::coordination
