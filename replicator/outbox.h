// Outbox: what the parts of a region give out during one Step: the region's effects, and what the
// region hands over when the part has returned: intents and users for its own shards, and to its
// trimmer what was applied.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "replicator/region.h"
#include "replicator/trimmer.h"

namespace homeport::replicator {

class Outbox {
 public:
  // All outlive it. `relay_tokens`: last token given to a RelayAppend.
  Outbox(std::vector<RegionEffect>* effects, RegionStats* stats, uint64_t* relay_tokens)
      : effects_(effects), stats_(stats), relay_tokens_(relay_tokens) {}

  void Send(Incarnation region, uint8_t replica, quorum_queue::ReplicaRequest request) {
    effects_->push_back(SendToQueue{region, replica, std::move(request)});
  }
  void Answer(Ticket ticket, core::CommandResult result) {
    if (!result.status.ok()) {
      const auto code = static_cast<size_t>(result.status.code());
      if (stats_->errors_by_code.size() <= code) stats_->errors_by_code.resize(code + 1);
      ++stats_->errors_by_code[code];
    }
    effects_->push_back(Done{ticket, std::move(result)});
  }
  void Refuse(Ticket ticket, core::Status status) {
    core::CommandResult result;
    result.status = std::move(status);
    Answer(ticket, std::move(result));
  }
  // Returns the token that tells when the run is on disk.
  uint64_t AppendToRelay(StreamId stream, quorum_queue::EntryRun run) {
    effects_->push_back(RelayAppend{++*relay_tokens_, stream, std::move(run)});
    return *relay_tokens_;
  }
  void Load(StreamId stream, Seq from) { effects_->push_back(LoadRelay{stream, from}); }
  void Flush() { effects_->push_back(FlushStore{}); }
  void Release(StreamId stream, Seq through) { effects_->push_back(ReleaseRelay{stream, through}); }
  void Tell(News news) { effects_->push_back(std::move(news)); }
  void Tell(std::string kind, std::string detail) {
    effects_->push_back(Note{std::move(kind), std::move(detail)});
  }
  // The process must end. Only the first reason counts.
  void Stop(std::string why) {
    if (why_.has_value()) return;
    why_ = std::move(why);
    effects_->push_back(MustStop{*why_});
  }

  RegionStats& stats() { return *stats_; }
  const std::optional<std::string>& why_stop() const { return why_; }
  std::vector<core::PendingIntent>& pending() { return pending_; }
  std::vector<AppliedEntry>& applied() { return applied_; }
  std::vector<core::HomeChange>& moved() { return moved_; }
  // Of the own entries applied since it was last emptied.
  std::vector<core::Position>& adopted_deps() { return adopted_deps_; }

 private:
  std::vector<RegionEffect>* effects_;
  RegionStats* stats_;
  uint64_t* relay_tokens_;
  std::vector<core::PendingIntent> pending_;
  std::vector<AppliedEntry> applied_;
  std::vector<core::HomeChange> moved_;
  std::vector<core::Position> adopted_deps_;
  std::optional<std::string> why_;
};

}  // namespace homeport::replicator
