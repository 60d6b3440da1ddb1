#include "cli/region_orders.h"

#include <fmt/format.h>

#include <utility>

#include "router/region_states.h"

namespace homeport::cli {

using core::RegionState;

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Result<std::vector<RegionState>> LoadOrders(const Globals& globals, const ClusterConfig& config) {
  ASSIGN_OR_RETURN(const Connection connection, ConnectCluster(globals, kOrderTimeout));
  std::vector<RegionState> states;
  Status failed;
  bool answered = false;
  for (const core::RegionConfig& region : config.regions) {
    auto report = connection.client->ReportOf(region.name);
    if (!report.ok()) {
      failed = report.status();
      continue;
    }
    answered = true;
    for (RegionState& state : report->states) core::MergeState(std::move(state), &states);
  }
  if (!answered) return failed;
  return states;
}

std::string DescribeOrder(const ClusterConfig& config, const RegionState& state) {
  return core::DescribeState(state, router::NamesOf(config, {state.region}),
                             router::NamesOf(config, state.to));
}

Json ToJson(const ClusterConfig& config, const RegionState& state) {
  Json json = {
      {"order", core::OrderName(state.order)}, {"on", state.on}, {"at", FormatTime(state.at_ms)}};
  PutBytes(&json, "by", "by_base64", state.by);
  if (state.to.empty()) return json;
  json["to"] = Json::array();
  for (const core::Incarnation to : state.to) json["to"].push_back(router::NamesOf(config, {to}));
  return json;
}

std::vector<std::string> CommittedLines(router::Client& client, const std::string& region) {
  const auto report = client.ReportOf(region);
  if (!report.ok()) return {};
  uint64_t entries = 0;
  for (const auto& shard : report->shards) entries += shard.committed;
  return {fmt::format("at the beginning {} had committed {} entries", region, entries)};
}

}  // namespace homeport::cli
