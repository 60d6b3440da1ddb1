// Mirror: a copy of all rows of one prefix that follows the store, and misses no change.
//
//   lists (page by page) --> follows (watch after watch) --(the store has forgotten too much)-->
//   lists
//
// While it follows, every change comes once, in the store's order. When the store no longer has
// the changes in between, what differs comes instead, the older revision first; a row that was
// deleted meanwhile as a deletion. Pure: feed it answers. Not thread safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "coordination/messages.h"
#include "core/time.h"

namespace homeport::coordination {

class Mirror {
 public:
  explicit Mirror(std::string prefix, std::chrono::milliseconds wait = std::chrono::seconds(20))
      : prefix_(std::move(prefix)), wait_(wait) {}
  // What to ask now. nullopt: it is asked, or waits after a failure.
  std::optional<Request> Next(core::Instant now);
  void OnAnswer(core::Instant now, const Answer& answer);
  std::optional<core::Instant> NextDeadline() const;

  // Whether `rows` was once whole.
  bool complete() const { return complete_; }
  const std::map<std::string, Row>& rows() const { return rows_; }
  // Since the last call.
  std::vector<Change> TakeChanges() { return std::exchange(changes_, {}); }
  // Why it does not follow right now.
  const core::Status& trouble() const { return trouble_; }

 private:
  void OnPage(const Rows& page);
  void OnListed();
  void OnChanges(const Changes& changes);

  const std::string prefix_;
  const std::chrono::milliseconds wait_;
  bool asked_ = false;
  core::Instant ask_at_;
  core::Duration pause_{0};
  core::Status trouble_;
  bool listing_ = true;
  std::optional<Revision> listed_from_;  // of the first page
  std::map<std::string, Row> listed_;
  Revision next_;  // to watch from
  bool complete_ = false;
  std::map<std::string, Row> rows_;
  std::vector<Change> changes_;
};

}  // namespace homeport::coordination
