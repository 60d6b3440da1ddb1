#include "coordination/record_change.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace homeport::coordination {

using core::Instant;
using core::Status;

namespace {

constexpr int kTriesMax = 100;

}  // namespace

std::optional<Request> RecordChange::Next(Instant now) {
  if (result_) return std::nullopt;
  if (settler_) return settler_->Next(now);
  if (asked_ || now < ask_at_) return std::nullopt;
  asked_ = true;
  return Get{keys_[read_]};
}

std::optional<Instant> RecordChange::NextDeadline() const {
  if (result_ || asked_) return std::nullopt;
  return settler_ ? settler_->NextDeadline() : ask_at_;
}

void RecordChange::OnAnswer(Instant now, const Answer& answer) {
  CHECK(!result_, "nothing is asked when it is over");
  if (settler_) {
    settler_->OnAnswer(now, answer);
    if (!settler_->settled()) return;
    const Settled settled = *settler_->settled();
    settler_.reset();
    if (!settled.refused.ok()) {
      result_ = settled.refused;
    } else if (settled.done) {
      result_ = Status();
    } else if (++tries_ == kTriesMax) {
      result_ = Status::Unavailable("others changed the record again and again: try again");
    }
    return;
  }
  asked_ = false;
  if (const auto* status = std::get_if<Status>(&answer)) {
    if (!core::IsNotNow(status->code())) {
      result_ = *status;
      return;
    }
    pause_ = NextPause(pause_);
    ask_at_ = now + pause_;
    return;
  }
  pause_ = core::Duration(0);
  const auto* rows = std::get_if<coordination::Rows>(&answer);
  CHECK(rows != nullptr, "a get is answered as one");
  for (const Row& row : rows->rows) rows_[row.key] = row;
  if (++read_ < keys_.size()) return;
  read_ = 0;
  Decided(Decide(std::exchange(rows_, {})));
}

void RecordChange::Decided(Decision decision) {
  if (const auto* refused = std::get_if<Status>(&decision)) {
    CHECK(!refused->ok(), "a refusal has a reason");
    decided_against_ = true;
    result_ = *refused;
  } else if (auto* terms = std::get_if<std::vector<Term>>(&decision)) {
    settler_.emplace(CompareAndSet{token_, std::move(*terms)});
    token_ = std::max(token_ + 1, Token(1));
  } else {
    result_ = Status();
  }
}

Term WriteTerm(const std::map<std::string, Row>& rows, const std::string& key, std::string value) {
  const auto row = rows.find(key);
  return {key, row == rows.end() ? Revision(0) : row->second.revision,
          Write{std::move(value), LeaseId(0)}};
}

}  // namespace homeport::coordination
