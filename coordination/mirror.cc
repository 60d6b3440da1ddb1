#include "coordination/mirror.h"

#include <algorithm>
#include <utility>

#include "coordination/settler.h"
#include "core/check.h"

namespace homeport::coordination {

using core::Instant;

std::optional<Request> Mirror::Next(Instant now) {
  if (asked_ || now < ask_at_) return std::nullopt;
  asked_ = true;
  if (!listing_) return Watch{prefix_, next_, wait_};
  return List{prefix_, listed_.empty() ? "" : listed_.rbegin()->first};
}

std::optional<Instant> Mirror::NextDeadline() const {
  if (asked_) return std::nullopt;
  return ask_at_;
}

void Mirror::OnAnswer(Instant now, const Answer& answer) {
  CHECK(asked_, "an answer to what was asked");
  asked_ = false;
  if (const auto* status = std::get_if<core::Status>(&answer)) {
    trouble_ = *status;
    // Of a watch: the changes are gone, or the store is an older one.
    if (!core::IsNotNow(status->code())) {
      listing_ = true;
      listed_from_.reset();
      listed_.clear();
    }
    pause_ = status->code() == core::Code::kTrimmed ? core::Duration(0) : NextPause(pause_);
    ask_at_ = now + pause_;
    return;
  }
  trouble_ = {};
  pause_ = core::Duration(0);
  if (const auto* page = std::get_if<Rows>(&answer)) return OnPage(*page);
  const auto* changes = std::get_if<Changes>(&answer);
  CHECK(changes != nullptr, "a list or a watch is answered as one");
  OnChanges(*changes);
}

void Mirror::OnPage(const Rows& page) {
  if (!listed_from_) listed_from_ = page.revision;
  for (const Row& row : page.rows) listed_[row.key] = row;
  if (!page.more) OnListed();
}

// Pages of different moments make no moment's copy, but everything since the first page comes again
// by the watch, and what is here already is passed over.
void Mirror::OnListed() {
  std::vector<Change> differ;
  for (const auto& [key, row] : listed_) {
    const auto old = rows_.find(key);
    if (old == rows_.end() || old->second.revision != row.revision) differ.push_back({row, false});
  }
  for (const auto& [key, row] : rows_) {
    if (listed_.contains(key)) continue;
    Row gone;
    gone.key = key;
    gone.revision = *listed_from_;  // at the latest
    differ.push_back({std::move(gone), true});
  }
  std::stable_sort(differ.begin(), differ.end(), [](const Change& a, const Change& b) {
    return a.row.revision < b.row.revision;
  });
  changes_.insert(changes_.end(), std::make_move_iterator(differ.begin()),
                  std::make_move_iterator(differ.end()));
  rows_ = std::exchange(listed_, {});
  next_ = *std::exchange(listed_from_, std::nullopt) + 1;
  listing_ = false;
  complete_ = true;
}

void Mirror::OnChanges(const Changes& changes) {
  next_ = std::max(next_, changes.next);
  for (const Change& change : changes.changes) {
    const auto old = rows_.find(change.row.key);
    if (old != rows_.end() && old->second.revision >= change.row.revision) continue;
    if (old == rows_.end() && change.deleted) continue;  // came and went before its page was read
    if (change.deleted) {
      rows_.erase(old);
    } else {
      rows_[change.row.key] = change.row;
    }
    changes_.push_back(change);
  }
}

}  // namespace homeport::coordination
