// WanMap: which links a WAN box has, and the doors to them. Read from a TOML file, or from a
// cluster's configuration: each of its paths is a door. README.md has the formats.
#pragma once

#include <string>
#include <vector>

#include "core/config.h"
#include "core/status.h"
#include "tests/wan/delay_line.h"

namespace homeport::wan {

// Between two regions; both directions begin with the same options.
struct LinkConfig {
  std::string a;
  std::string b;
  LineOptions line;
};

// Who connects to `listen` comes from region `from` and is taken to `target`, which is in `to`.
struct DoorConfig {
  std::string from;
  std::string to;
  std::string listen;  // "127.0.0.1:9001"
  std::string target;  // "127.0.0.1:7101"
};

struct WanMap {
  std::string control;  // "127.0.0.1:9000": where commands are taken; empty: nowhere
  std::vector<LinkConfig> links;
  std::vector<DoorConfig> doors;

  const LinkConfig* FindLink(const std::string& a, const std::string& b) const;
};

inline constexpr size_t kLinksMax = 120;  // of 16 regions
inline constexpr size_t kDoorsMax = 4096;
inline constexpr int64_t kDelayMsMax = 60'000;
inline constexpr int64_t kMbitPerSMax = 100'000;

// kBadRequest: "<file>: key link[1].delay_ms: expected ..., found ...".
core::Result<WanMap> ParseWanMap(const std::string& text, const std::string& file);
// Adds a door for each path of the cluster. `bind`: the host to listen on instead of the one that
// the path names, which others use; empty: that one.
core::Status AddDoors(const core::ClusterConfig& config, const std::string& bind, WanMap* map);
// Gives every pair of regions with a door a link: sh-hk 15 ms, sh-ca 100 ms, hk-ca 90 ms, others
// 50 ms one way, all with 100 Mbit/s, unless it has one.
void AddUsualLinks(WanMap* map);

}  // namespace homeport::wan
