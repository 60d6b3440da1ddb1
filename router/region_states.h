// RegionStates: what operators ordered of regions, as a gateway knows it; read from its region's
// own rows and kept for a moment, for every request may ask.
//
// Pure; not thread safe. docs/mastership.md, "Orders".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/messaging/operations.h"
#include "core/store.h"
#include "core/time.h"
#include "router/views.h"

namespace homeport::router {

class RegionStates {
 public:
  // Both outlive it.
  RegionStates(const core::ClusterConfig* config, const core::StoreView* store)
      : config_(config), store_(store) {}

  // Reads them anew when they are older than `age_max`, or forgotten.
  void Refresh(core::Instant now, core::Duration age_max);
  void Forget() { read_at_.reset(); }

  const std::vector<core::RegionState>& all() const { return states_; }
  const BlockedRegions& blocked() const { return blocked_; }
  // kUnavailable, with a sentence that says who ordered it, when clients are not served there.
  core::Status CheckUnblocked(core::Incarnation region) const;
  // kRefused likewise when nobody new is to be at home there.
  core::Status CheckOpen(core::Incarnation region) const;
  // kBadRequest, kRefused for an order that must not be given.
  core::Status CheckOrder(const core::RegionState& order) const;

 private:
  const core::RegionState* Ordered(core::Incarnation region, core::RegionOrder order) const;
  std::string Name(core::Incarnation region) const;
  std::string Describe(const core::RegionState& state) const;

  const core::ClusterConfig* config_;
  const core::StoreView* store_;
  std::vector<core::RegionState> states_;
  BlockedRegions blocked_;
  std::optional<core::Instant> read_at_;
};

// The names of regions, with commas between.
std::string NamesOf(const core::ClusterConfig& config,
                    const std::vector<core::Incarnation>& regions);

}  // namespace homeport::router
