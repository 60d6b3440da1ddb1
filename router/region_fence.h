// RegionFence: whether a region may accept writes. With `fence = operator` always; with `fence =
// lease` while it holds its lease of the coordination store, and so never when it may be taken for
// dead by others (docs/coordination.md, "Fence").
//
// Used by the region's thread. Its time is core::BootNow: a machine that was suspended finds its
// lease over.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "coordination/coordination_store.h"
#include "coordination/region_lease.h"
#include "core/config.h"
#include "core/socket.h"
#include "core/status.h"
#include "core/time.h"

namespace homeport::router {

class RegionFence {
 public:
  // Of the region that runs in this process.
  static core::Result<std::unique_ptr<RegionFence>> Open(core::Context& context,
                                                         const core::ClusterConfig& config,
                                                         const core::RegionConfig& region);
  // Readable when Turn has something to take; nullopt: there never is.
  std::optional<int> fd() const;
  // Asks what is due and takes what was answered.
  void Turn();
  // For how long Turn has nothing to ask; nullopt: until fd is readable.
  std::optional<core::Duration> Wait() const;

  // kUnavailable with the reason: not now. Looks at the clock each time it is asked: whatever
  // happened to this process since its last turn, what is asked now is answered as of now.
  core::Status AcceptsWrites() const;
  // How long its lease holds still, if nobody renews it; nullopt: with `fence = operator`.
  std::optional<core::Duration> lease_left() const;

 private:
  struct Leased {
    std::unique_ptr<coordination::CoordinationClient> client;
    coordination::RegionLease lease;
    uint64_t asked = 0;  // number of the call under way; 0: none
    core::Status trouble;
  };
  RegionFence(std::string region, core::Duration call_timeout, std::optional<Leased> leased)
      : region_(std::move(region)), call_timeout_(call_timeout), leased_(std::move(leased)) {}
  void TellChange();

  const std::string region_;
  const core::Duration call_timeout_;
  std::optional<Leased> leased_;     // fence = lease
  std::optional<std::string> told_;  // why it accepts none, as it was logged last; empty: it does
};

}  // namespace homeport::router
