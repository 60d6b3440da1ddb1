// Cluster: which cluster a command means, and a client of it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cli/output.h"
#include "core/config.h"
#include "core/status.h"
#include "router/client.h"

namespace homeport::cli {

using core::ClusterConfig;
using core::Result;
using core::Status;

// What every command accepts.
struct Globals {
  std::string data;    // --data DIR: DIR/cluster.toml
  std::string config;  // --config FILE, HOMEPORT_CONFIG
  std::string via;     // --via REGION: where to connect first
  Format format = Format::kTable;
  bool verbose = false;
  double timeout_s = 0;  // --timeout of a call; 0: the command's own
};

inline constexpr const char* kConfigName = "cluster.toml";

std::string AbsolutePath(const std::string& path);
// By --data, --config or HOMEPORT_CONFIG, in this order.
Result<std::string> FindConfigFile(const Globals& globals);
// `globals.data` as an absolute path, or the directory of the configuration file.
Result<std::string> FindDataDirectory(const Globals& globals);
Result<ClusterConfig> LoadCluster(const Globals& globals);

struct Connection {
  ClusterConfig config;
  std::unique_ptr<router::Client> client;
};
// With `timeout` for each call unless --timeout says another.
Result<Connection> ConnectCluster(const Globals& globals,
                                  std::chrono::seconds timeout = std::chrono::seconds(15));
Result<std::unique_ptr<router::Client>> ConnectTo(const ClusterConfig& config,
                                                  router::ClientOptions options);

// kBadRequest naming the regions there are.
Status CheckRegion(const ClusterConfig& config, const std::string& region);
// The account of a name, or a sentence that names it.
Result<router::AccountView> FindAccount(router::Client& client, core::AccountKind kind,
                                        const std::string& name);
// Creates it, or answers the one there is; `created` tells which.
Result<router::AccountView> FindOrCreate(router::Client& client, core::AccountKind kind,
                                         const std::string& name, const std::string& home,
                                         bool* created = nullptr);

// "sh,hk,ca" as {"sh", "hk", "ca"}; empty parts are dropped.
std::vector<std::string> SplitCommas(std::string_view text);

}  // namespace homeport::cli
