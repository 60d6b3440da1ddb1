// Applier: applies the entries of one stream to the region's store, in order, one batch each.
//
// What the store cannot take now (a full disk) is tried again a little later; nothing is ever
// skipped. An entry that cannot be understood stops the region: going on without it would make this
// region differ from the others for ever.
//
// Not thread safe. Design section 5, rule 2.
#pragma once

#include <optional>
#include <string_view>

#include "core/messaging/entry.h"
#include "core/store.h"
#include "core/time.h"
#include "replicator/outbox.h"

namespace homeport::replicator {

class Applier {
 public:
  // `store` outlives it.
  Applier(StreamId stream, core::ApplyContext context, core::Store* store);

  // Applies entry applied() + 1; its news and intents go to `out`. False when it was not applied:
  // the store refused it (blocked() until it takes one) or the entry is corrupt (the region stops).
  bool Apply(Instant now, std::string_view payload, Outbox* out);

  Seq applied() const { return applied_; }
  // When the last applied entry was written at its home; 0 when none was since the start.
  core::WallMs written_at() const { return written_at_; }
  // The store refused the last entry. Apply tries again from NextDeadline() on.
  bool blocked() const { return retry_at_.has_value(); }
  std::optional<Instant> NextDeadline() const { return corrupt_ ? std::nullopt : retry_at_; }

 private:
  void Refused(Instant now, const core::Status& status, Outbox* out);

  const StreamId stream_;
  const core::ApplyContext context_;
  core::Store* store_;
  Seq applied_;
  core::WallMs written_at_{0};
  core::WriteBatch batch_;  // kept for its memory
  std::optional<Instant> retry_at_;
  bool corrupt_ = false;
};

}  // namespace homeport::replicator
