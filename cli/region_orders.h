// What the commands on whole regions share: what is ordered, as all that can be asked know it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli/cluster.h"
#include "core/messaging/operations.h"

namespace homeport::cli {

// A region that does not answer within it is left out: it may be why somebody orders something.
inline constexpr std::chrono::seconds kOrderTimeout{3};

int64_t NowMs();  // since 1970
// Of all regions that answer, together. Fails when none does.
Result<std::vector<core::RegionState>> LoadOrders(const Globals& globals,
                                                  const ClusterConfig& config);
std::string DescribeOrder(const ClusterConfig& config, const core::RegionState& state);
Json ToJson(const ClusterConfig& config, const core::RegionState& state);
// "sh had committed 1,234 entries": for the journal, what a command begins from.
std::vector<std::string> CommittedLines(router::Client& client, const std::string& region);

}  // namespace homeport::cli
