// Registry: what the coordination store holds of regions: which incarnations there ever were, and
// which writer epochs were given to each. Records, and the changes of them that are allowed.
//
//   incarnation-counter    the highest number ever given
//   incarnations/00007     an incarnation: its region, and whether it lives
//   epochs/00007           up to where numbers for its writer epochs are reserved
//
// Takeovers have a record of their own, kept by those who carry them out (docs/takeover.md).
// Pure. docs/coordination.md, "What it holds".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "coordination/record_change.h"
#include "core/ids.h"
#include "core/status.h"

namespace homeport::coordination {

// It only goes on: live, then retired (its region left) or dead (taken over).
enum class IncarnationState : uint8_t { kLive = 0, kRetired = 1, kDead = 2 };
std::string_view StateName(IncarnationState state);

struct IncarnationRecord {
  core::Incarnation number;
  std::string region;
  IncarnationState state = IncarnationState::kLive;
  core::WallMs since{0};
  bool operator==(const IncarnationRecord&) const = default;
};
std::string EncodeIncarnation(const IncarnationRecord& record);
core::Result<IncarnationRecord> DecodeIncarnation(std::string_view bytes);
std::string IncarnationKey(core::Incarnation number);
std::string EpochsKey(core::Incarnation number);
inline constexpr std::string_view kIncarnationsPrefix = "incarnations/";
inline constexpr std::string_view kIncarnationCounterKey = "incarnation-counter";

// The row that is there while the incarnation may accept writes, with `fence = lease`.
std::string LeaseKey(core::Incarnation number);
// Terms that change the state of the incarnation in `row`, for a compare-and-set of whoever decides
// it. That it is dead comes true only while it has no lease; that it is retired it says itself.
// kRefused when that state does not follow.
core::Result<std::vector<Term>> MarkTerms(const Row& row, IncarnationState state, core::WallMs now);

// ---- changes

// A region whose number stands in the configuration makes it known, once. kBadRequest: the number
// is another region's. kFenced: this incarnation is over, and must not serve.
class RegisterIncarnation : public RecordChange {
 public:
  RegisterIncarnation(IncarnationRecord record, Token token)
      : RegisterIncarnation(std::move(record), {}, token) {}
  // Whether it ended because the incarnation must not serve.
  bool must_not_serve() const;

 protected:
  // `also`: rows that are read with it, for who writes more than the record.
  RegisterIncarnation(IncarnationRecord record, const std::vector<std::string>& also, Token token);
  Decision Decide(const Rows& rows) override;
  const IncarnationRecord& record() const { return record_; }

 private:
  const IncarnationRecord record_;
};

// The next number nobody ever had, for a new life or a new region.
class ClaimIncarnation : public RecordChange {
 public:
  ClaimIncarnation(std::string region, core::WallMs now, Token token);
  // REQUIRES: it ended well.
  core::Incarnation number() const { return number_; }

 private:
  Decision Decide(const Rows& rows) override;
  const std::string region_;
  const core::WallMs now_;
  core::Incarnation number_;
};

// Numbers enough for any number of restarts that a region may have while the store is away: each
// takes one per shard and one.
inline constexpr uint64_t kEpochBlock = 1 << 16;

// A block of numbers for writer epochs that no one else ever has, above `above`.
class ReserveEpochs : public RecordChange {
 public:
  ReserveEpochs(core::Incarnation incarnation, uint64_t above, Token token);
  // REQUIRES: it ended well.
  uint64_t first() const { return first_; }
  uint64_t last() const { return first_ + kEpochBlock - 1; }

 private:
  Decision Decide(const Rows& rows) override;
  const std::string key_;
  const uint64_t above_;
  uint64_t first_ = 0;
};

}  // namespace homeport::coordination
