#include "replicator/applier.h"

#include <fmt/format.h>

#include <utility>

#include "core/format.h"

namespace homeport::replicator {
namespace {

constexpr core::Duration kRetryAfter = std::chrono::milliseconds(200);

}  // namespace

Applier::Applier(StreamId stream, core::ApplyContext context, core::Store* store)
    : stream_(stream),
      context_(context),
      store_(store),
      applied_(core::AppliedSeq(*store, stream)) {}

bool Applier::Apply(Instant now, std::string_view payload, Outbox* out) {
  if (corrupt_ || (retry_at_.has_value() && now < *retry_at_)) return false;
  batch_.Clear();
  core::ApplySummary summary;
  const core::Status sound =
      core::ApplyEntry(*store_, context_, stream_, applied_ + 1, payload, &batch_, &summary);
  if (!sound.ok()) {
    corrupt_ = true;
    out->Tell("corrupt_entry",
              fmt::format("stream={} seq={} why={}", stream_, applied_ + 1, sound.message()));
    out->Stop(fmt::format("entry {} of stream {} cannot be applied: {}", applied_ + 1, stream_,
                          sound.message()));
    return false;
  }
  if (const core::Status written = store_->Write(batch_); !written.ok()) {
    Refused(now, written, out);
    return false;
  }
  if (retry_at_.has_value()) {
    retry_at_.reset();
    out->Tell("store_ok", fmt::format("stream={}", stream_));
  }
  applied_ = applied_ + 1;
  if (!payload.empty()) written_at_ = summary.written_at;

  RegionStats& stats = out->stats();
  ++stats.entries_applied;
  stats.rows_applied += summary.rows;
  stats.stale_rows += summary.stale_rows;
  for (core::PendingIntent& intent : summary.pending) out->pending().push_back(std::move(intent));
  for (const core::HomeChange& change : summary.moved) out->moved().push_back(change);
  for (const core::Position& dep : summary.adopted_deps) out->adopted_deps().push_back(dep);
  out->applied().push_back(
      {stream_, applied_, payload.size(), summary.work, std::move(summary.report)});
  if (!summary.inboxes.empty() || !summary.sequenced.empty()) {
    out->Tell(News{std::move(summary.inboxes), std::move(summary.sequenced)});
  }
  return true;
}

void Applier::Refused(Instant now, const core::Status& status, Outbox* out) {
  if (!retry_at_.has_value()) {
    out->Tell("store_full",
              fmt::format("stream={} seq={} why={}", stream_, applied_ + 1, status.message()));
  }
  retry_at_ = now + kRetryAfter;
}

}  // namespace homeport::replicator
