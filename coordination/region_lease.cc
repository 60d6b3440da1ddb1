#include "coordination/region_lease.h"

#include <algorithm>

#include "core/check.h"

namespace homeport::coordination {

using core::Instant;

namespace {

constexpr uint64_t kTokensPerWrite = 1000;

// Over the row of this incarnation's process before, whose lease may not have ended yet.
class WriteLeaseRow : public RegisterIncarnation {
 public:
  WriteLeaseRow(const IncarnationRecord& record, LeaseId lease, Token token)
      : RegisterIncarnation(record, {LeaseKey(record.number)}, token), lease_(lease) {}

 private:
  Decision Decide(const Rows& rows) override {
    Decision registered = RegisterIncarnation::Decide(rows);
    if (std::holds_alternative<core::Status>(registered)) return registered;
    std::vector<Term> terms;
    if (auto* is_new = std::get_if<std::vector<Term>>(&registered)) {
      terms = std::move(*is_new);
    } else {
      const Row& live = rows.at(IncarnationKey(record().number));
      terms.push_back({live.key, live.revision, std::nullopt});
    }
    Term& row = terms.emplace_back(WriteTerm(rows, LeaseKey(record().number), ""));
    row.write->lease = lease_;
    return terms;
  }
  const LeaseId lease_;
};

}  // namespace

std::optional<Request> RegionLease::Next(Instant now) {
  if (asked_ != Asked::kNothing || !over_.ok()) return std::nullopt;
  if (auto request = keeper_.Next(now)) {
    asked_ = Asked::kLease;
    return request;
  }
  if (!keeper_.Holds(now) || written_with_ == keeper_.lease()) return std::nullopt;
  if (!write_ || writing_with_ != keeper_.lease()) {
    if (now < write_at_) return std::nullopt;
    writing_with_ = keeper_.lease();
    write_ = std::make_unique<WriteLeaseRow>(record_, writing_with_, token_);
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
  if (write_->result()->ok()) {
    written_with_ = writing_with_;
    pause_ = core::Duration(0);
  } else if (write_->must_not_serve()) {
    over_ = *write_->result();
  } else {
    // The lease is gone, as its keeper will hear; or the store refuses.
    pause_ = NextPause(pause_);
    write_at_ = now + pause_;
  }
  write_.reset();
}

std::optional<Instant> RegionLease::NextDeadline(Instant now) const {
  if (asked_ != Asked::kNothing || !over_.ok()) return std::nullopt;
  std::optional<Instant> next = keeper_.NextDeadline();
  if (written_with_ == keeper_.lease() || !keeper_.Holds(now)) return next;
  const std::optional<Instant> write = write_ ? write_->NextDeadline() : write_at_;
  if (write) next = next ? std::min(*next, *write) : write;
  return next;
}

}  // namespace homeport::coordination
