// RegionLease: a region's lease, as the row that others see: leases/00007. While it Holds, the row
// is there; when the row is gone, the region has known for a while that it no longer holds.
//
// The row is written only while the incarnation lives, in one compare-and-set with its record: so
// whoever sees no row and declares the incarnation dead in one, too, knows that it never holds
// again.
//
// Pure: feed it answers, one question at a time. Its time goes on while the machine is suspended.
// Not thread safe.
//
//   none --(lease granted)--> the row is written --> held --(kept alive)--> held --(ended)--> none
//                                  \--(the incarnation is over)--> over, for good
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "coordination/lease_keeper.h"
#include "coordination/registry.h"
#include "core/ids.h"

namespace homeport::coordination {

class RegionLease {
 public:
  // `record`: as it is registered, if it is not yet. `token`: at random; the numbers after it are
  // its own, too.
  RegionLease(IncarnationRecord record, std::chrono::seconds ttl, Token token)
      : record_(std::move(record)), token_(token), keeper_(ttl) {}
  // What to ask now. nullopt: it is asked, or not yet time.
  std::optional<Request> Next(core::Instant now);
  void OnAnswer(core::Instant now, const Answer& answer);
  std::optional<core::Instant> NextDeadline(core::Instant now) const;
  bool Holds(core::Instant now) const {
    return keeper_.Holds(now) && written_with_ == keeper_.lease();
  }
  core::Instant holds_until() const { return keeper_.holds_until(); }
  // Not ok: the incarnation is over, or another region's. It asks for nothing any more.
  const core::Status& over() const { return over_; }

 private:
  enum class Asked : uint8_t { kNothing, kLease, kRow };

  const IncarnationRecord record_;
  Token token_;
  LeaseKeeper keeper_;
  Asked asked_ = Asked::kNothing;
  LeaseId writing_with_;
  std::unique_ptr<RegisterIncarnation> write_;  // null: nothing is to be written
  core::Instant write_at_;
  core::Duration pause_{0};
  LeaseId written_with_;
  core::Status over_;
};

}  // namespace homeport::coordination
