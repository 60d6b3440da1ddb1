#include "coordination/region_lease.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"

namespace homeport::coordination {

using core::Instant;

namespace {

constexpr uint64_t kTokensPerWrite = 1000;

// Over the row of this incarnation's process before, whose lease may not have ended yet.
class WriteLeaseRow : public RecordChange {
 public:
  WriteLeaseRow(const std::string& key, LeaseId lease, Token token)
      : RecordChange({key}, token), key_(key), lease_(lease) {}

 private:
  Decision Decide(const Rows& rows) override {
    Term term = WriteTerm(rows, key_, "");
    term.write->lease = lease_;
    return std::vector<Term>{std::move(term)};
  }
  const std::string key_;
  const LeaseId lease_;
};

}  // namespace

std::string LeaseKey(core::Incarnation incarnation) {
  return fmt::format("leases/{:05}", incarnation.value());
}

std::optional<Request> RegionLease::Next(Instant now) {
  if (asked_ != Asked::kNothing) return std::nullopt;
  if (auto request = keeper_.Next(now)) {
    asked_ = Asked::kLease;
    return request;
  }
  if (!keeper_.Holds(now) || written_with_ == keeper_.lease()) return std::nullopt;
  if (!write_ || writing_with_ != keeper_.lease()) {
    writing_with_ = keeper_.lease();
    write_ = std::make_unique<WriteLeaseRow>(LeaseKey(incarnation_), writing_with_, token_);
    token_ = std::max(token_ + kTokensPerWrite, Token(1));
  }
  auto request = write_->Next(now);
  if (request) asked_ = Asked::kRow;
  return request;
}

void RegionLease::OnAnswer(Instant now, const Answer& answer) {
  CHECK(asked_ != Asked::kNothing, "an answer to what was asked");
  const Asked asked = std::exchange(asked_, Asked::kNothing);
  if (asked == Asked::kLease) return keeper_.OnAnswer(now, answer);
  write_->OnAnswer(now, answer);
  if (!write_->result()) return;
  if (write_->result()->ok()) written_with_ = writing_with_;
  write_.reset();  // not ok: the lease is gone, as its keeper will hear; or again
}

std::optional<Instant> RegionLease::NextDeadline() const {
  if (asked_ != Asked::kNothing) return std::nullopt;
  std::optional<Instant> next = keeper_.NextDeadline();
  if (written_with_ == keeper_.lease() || keeper_.lease() == LeaseId(0)) return next;
  const std::optional<Instant> write = write_ ? write_->NextDeadline() : Instant();
  if (write) next = next ? std::min(*next, *write) : write;
  return next;
}

}  // namespace homeport::coordination
