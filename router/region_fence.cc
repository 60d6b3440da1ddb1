#include "router/region_fence.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "coordination/open.h"
#include "core/clock.h"
#include "core/files.h"
#include "core/log.h"

namespace homeport::router {

using coordination::Answer;
using coordination::RegionLease;
using coordination::Token;
using core::BootNow;
using core::Duration;
using core::Instant;
using core::Status;

namespace {

// Of its time: one that is lost can be asked again before the lease is over.
constexpr int kCallsPerLease = 4;
// However long the lease: a store that is back is to be asked soon.
constexpr Duration kCallMax = std::chrono::seconds(2);

}  // namespace

core::Result<std::unique_ptr<RegionFence>> RegionFence::Open(core::Context& context,
                                                             const core::ClusterConfig& config,
                                                             const core::RegionConfig& region) {
  const std::chrono::seconds ttl(config.coordination.lease_seconds);
  std::optional<Leased> leased;
  if (config.coordination.fence == core::Fence::kLease) {
    ASSIGN_OR_RETURN(auto client, coordination::OpenCoordination(context, config));
    RegionLease lease(
        {region.incarnation, region.name, coordination::IncarnationState::kLive, core::WallNow()},
        ttl, Token(core::RandomBits() | 1));
    leased.emplace(Leased{std::move(client), std::move(lease), 0,
                          Status::Unavailable("the coordination store has not answered yet")});
  }
  return std::unique_ptr<RegionFence>(
      new RegionFence(region.name, std::min<Duration>(Duration(ttl) / kCallsPerLease, kCallMax),
                      std::move(leased)));
}

std::optional<int> RegionFence::fd() const {
  if (!leased_) return std::nullopt;
  return leased_->client->fd();
}

void RegionFence::Turn() {
  if (!leased_) return;
  uint64_t number = 0;
  Answer answer;
  while (leased_->client->Take(&number, &answer)) {
    if (number != leased_->asked) continue;
    leased_->asked = 0;
    const auto* status = std::get_if<Status>(&answer);
    leased_->trouble = status == nullptr ? Status() : *status;
    // For clients: that it may have been carried out is of their writes, not of the lease.
    if (coordination::IsUnknown(leased_->trouble)) leased_->trouble = coordination::NoAnswer(false);
    leased_->lease.OnAnswer(BootNow(), answer);
  }
  if (leased_->asked == 0) {
    if (auto request = leased_->lease.Next(BootNow())) {
      leased_->asked = leased_->client->Begin(std::move(*request), call_timeout_);
    }
  }
  TellChange();
}

void RegionFence::TellChange() {
  const Status accepts = AcceptsWrites();
  const std::string why = accepts.ok() ? std::string() : accepts.message();
  if (why == told_) return;
  told_ = why;
  if (accepts.ok()) {
    core::LogInfo("writes_accepted", {{"region", region_}});
  } else {
    core::LogWarn("writes_refused", {{"region", region_}, {"why", why}});
  }
}

std::optional<Duration> RegionFence::Wait() const {
  if (!leased_) return std::nullopt;
  const Instant now = BootNow();
  std::optional<Instant> next = leased_->lease.NextDeadline(now);
  // That it is over is told then, not with the next answer.
  if (leased_->lease.Holds(now)) {
    const Instant ends = leased_->lease.holds_until();
    next = next ? std::min(*next, ends) : ends;
  }
  if (!next) return std::nullopt;
  return std::max(Duration(0), *next - now);
}

Status RegionFence::AcceptsWrites() const {
  if (!leased_ || leased_->lease.Holds(BootNow())) return {};
  const Status& over = leased_->lease.over();
  if (!over.ok()) {
    return Status::Unavailable(
        fmt::format("region {} accepts no writes: {}", region_, over.message()));
  }
  const std::string why = leased_->trouble.ok() ? "it is taking it" : leased_->trouble.message();
  return Status::Unavailable(
      fmt::format("region {} accepts no writes while it does not hold its lease (fence = lease): "
                  "{}; reads go on, try again",
                  region_, why));
}

std::optional<Duration> RegionFence::lease_left() const {
  if (!leased_) return std::nullopt;
  const Instant now = BootNow();
  if (!leased_->lease.Holds(now)) return Duration(0);
  return leased_->lease.holds_until() - now;
}

}  // namespace homeport::router
