#include "cli/cluster.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <filesystem>

#include "core/files.h"

namespace homeport::cli {
namespace {

using core::AccountKind;

std::string_view KindName(AccountKind kind) {
  return kind == AccountKind::kUser ? "user" : "group";
}

}  // namespace

std::string AbsolutePath(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  std::string text = (error ? std::filesystem::path(path) : absolute).lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

Result<std::string> FindConfigFile(const Globals& globals) {
  if (!globals.data.empty()) {
    const std::string file = AbsolutePath(globals.data) + '/' + kConfigName;
    if (!core::Exists(file)) {
      return Status::Unavailable(
          fmt::format("there is no cluster in {}: no {} there; `homeport up --data {}` "
                      "makes one and starts it",
                      globals.data, kConfigName, globals.data));
    }
    return file;
  }
  std::string file = globals.config;
  if (file.empty()) {
    if (const char* named = std::getenv("HOMEPORT_CONFIG")) file = named;
  }
  if (file.empty()) {
    return Status::BadRequest(
        "which cluster? Name it by --data DIR, --config FILE or the environment's HOMEPORT_CONFIG");
  }
  if (!core::Exists(file)) return Status::Unavailable(fmt::format("no file {}", file));
  return AbsolutePath(file);
}

Result<std::string> FindDataDirectory(const Globals& globals) {
  if (!globals.data.empty()) return AbsolutePath(globals.data);
  ASSIGN_OR_RETURN(const ClusterConfig config, LoadCluster(globals));
  return config.data;
}

Result<ClusterConfig> LoadCluster(const Globals& globals) {
  ASSIGN_OR_RETURN(const std::string file, FindConfigFile(globals));
  return core::LoadClusterConfig(file);
}

Result<std::unique_ptr<router::Client>> ConnectTo(const ClusterConfig& config,
                                                  router::ClientOptions options) {
  for (const core::RegionConfig& region : config.regions) {
    options.gateways.push_back({region.name, region.incarnation, region.gateway});
  }
  options.operator_secret = config.secret;
  return router::Client::Connect(std::move(options));
}

Result<Connection> ConnectCluster(const Globals& globals, std::chrono::seconds timeout) {
  Connection connection;
  ASSIGN_OR_RETURN(connection.config, LoadCluster(globals));
  router::ClientOptions options;
  options.timeout = timeout;
  if (globals.timeout_s > 0) {
    options.timeout = std::chrono::duration_cast<core::Duration>(
        std::chrono::duration<double>(globals.timeout_s));
  }
  if (!globals.via.empty()) {
    RETURN_IF_ERROR(CheckRegion(connection.config, globals.via));
    options.region = globals.via;
  }
  if (globals.verbose) {
    options.on_moved = [](const std::string& from, const std::string& to, core::Uin uin) {
      Say(fmt::format("moved: {} told that {} is at home in {}", from, uin.value(), to));
    };
  }
  ASSIGN_OR_RETURN(connection.client, ConnectTo(connection.config, std::move(options)));
  return connection;
}

Status CheckRegion(const ClusterConfig& config, const std::string& region) {
  if (config.FindRegion(region) != nullptr) return {};
  std::vector<std::string> names;
  for (const core::RegionConfig& known : config.regions) names.push_back(known.name);
  return Status::BadRequest(
      fmt::format("there is no region {}; there are {}", region, fmt::join(names, ", ")));
}

Result<router::AccountView> FindAccount(router::Client& client, AccountKind kind,
                                        const std::string& name) {
  ASSIGN_OR_RETURN(auto found, client.Find(kind, name));
  if (!found.has_value()) {
    return Status::BadRequest(fmt::format("there is no {0} {1}; `homeport {0} create` makes one",
                                          KindName(kind), Printable(name)));
  }
  return *found;
}

Result<router::AccountView> FindOrCreate(router::Client& client, AccountKind kind,
                                         const std::string& name, const std::string& home,
                                         bool* created) {
  auto made = client.Create(kind, name, home);
  if (created != nullptr) *created = made.ok();
  if (made.ok() || made.status().code() != core::Code::kTaken) return made;
  return FindAccount(client, kind, name);
}

std::vector<std::string> SplitCommas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    if (comma != 0) parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return parts;
}

}  // namespace homeport::cli
