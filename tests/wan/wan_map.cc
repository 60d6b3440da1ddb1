#include "tests/wan/wan_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/table_reader.h"

namespace homeport::wan {
namespace {

using core::Result;
using core::Status;
using core::TableReader;
using std::chrono::milliseconds;

constexpr uint64_t kUsualBitsPerS = 100'000'000;
constexpr milliseconds kUsualDelay{50};
constexpr std::string_view kTcp = "tcp://";
constexpr std::string_view kAddressExpected = "a string like \"127.0.0.1:9001\"";
constexpr std::string_view kRegionExpected = "the name of a region";

struct UsualLink {
  std::string_view a;
  std::string_view b;
  milliseconds delay;
};
constexpr UsualLink kUsualLinks[] = {{"sh", "hk", milliseconds(15)},
                                     {"sh", "ca", milliseconds(100)},
                                     {"hk", "ca", milliseconds(90)}};

bool IsRegion(std::string_view text) {
  return !text.empty() && text.find_first_of(" <>*\"\n") == std::string_view::npos;
}

Duration UsualDelay(std::string_view a, std::string_view b) {
  for (const UsualLink& link : kUsualLinks) {
    if ((link.a == a && link.b == b) || (link.a == b && link.b == a)) return link.delay;
  }
  return kUsualDelay;
}

int64_t IntegerOr(TableReader* reader, std::string_view key, int64_t max, int64_t usual) {
  if (!reader->Has(key)) return usual;
  return reader->Integer(key, 0, max, fmt::format("an integer up to {}", max));
}

Result<LinkConfig> ReadLink(const toml::table& table, const std::string& file, size_t number) {
  TableReader reader(table, file, fmt::format("link[{}]", number));
  LinkConfig link;
  link.a = reader.Text("a", kRegionExpected, IsRegion);
  link.b = reader.Text("b", kRegionExpected, IsRegion);
  const auto usual_ms =
      std::chrono::duration_cast<milliseconds>(UsualDelay(link.a, link.b)).count();
  link.line.delay = milliseconds(IntegerOr(&reader, "delay_ms", kDelayMsMax, usual_ms));
  link.line.jitter = milliseconds(IntegerOr(&reader, "jitter_ms", kDelayMsMax, 0));
  link.line.bits_per_s = 1'000'000 * static_cast<uint64_t>(IntegerOr(
                                         &reader, "mbit_per_s", kMbitPerSMax,
                                         static_cast<int64_t>(kUsualBitsPerS / 1'000'000)));
  RETURN_IF_ERROR(reader.Finish());
  if (link.a == link.b) reader.Fail("b", "another region than a", link.b);
  RETURN_IF_ERROR(reader.status());
  return link;
}

Result<DoorConfig> ReadDoor(const toml::table& table, const std::string& file, size_t number) {
  TableReader reader(table, file, fmt::format("door[{}]", number));
  DoorConfig door;
  door.from = reader.Text("from", kRegionExpected, IsRegion);
  door.to = reader.Text("to", kRegionExpected, IsRegion);
  door.listen = reader.Text("listen", kAddressExpected, core::IsHostPort);
  door.target = reader.Text("target", kAddressExpected, core::IsHostPort);
  RETURN_IF_ERROR(reader.Finish());
  if (door.from == door.to) reader.Fail("to", "another region than from", door.to);
  RETURN_IF_ERROR(reader.status());
  return door;
}

std::string AddressOf(const std::string& endpoint) {
  return endpoint.substr(kTcp.size());
}

const std::string* RegionThatListens(const core::ClusterConfig& config,
                                     const std::string& endpoint) {
  for (const core::RegionConfig& region : config.regions) {
    if (region.gateway == endpoint) return &region.name;
    for (const core::ReplicaConfig& replica : region.replicas) {
      if (replica.endpoint == endpoint) return &region.name;
    }
  }
  return nullptr;
}

}  // namespace

const LinkConfig* WanMap::FindLink(const std::string& a, const std::string& b) const {
  for (const LinkConfig& link : links) {
    if ((link.a == a && link.b == b) || (link.a == b && link.b == a)) return &link;
  }
  return nullptr;
}

Result<WanMap> ParseWanMap(const std::string& text, const std::string& file) {
  ASSIGN_OR_RETURN(const toml::table table, core::ParseToml(text, file));
  TableReader reader(table, file, "");
  WanMap map;
  if (reader.Has("control")) {
    map.control = reader.Text("control", kAddressExpected, core::IsHostPort);
  }
  std::vector<const toml::table*> links;
  if (reader.Has("link")) {
    links = reader.Tables("link", 0, kLinksMax, fmt::format("up to {} tables [[link]]", kLinksMax));
  }
  std::vector<const toml::table*> doors;
  if (reader.Has("door")) {
    doors = reader.Tables("door", 0, kDoorsMax, fmt::format("up to {} tables [[door]]", kDoorsMax));
  }
  RETURN_IF_ERROR(reader.Finish());
  for (const toml::table* one : links) {
    const size_t number = map.links.size() + 1;
    ASSIGN_OR_RETURN(LinkConfig link, ReadLink(*one, file, number));
    if (map.FindLink(link.a, link.b) != nullptr) {
      return Status::BadRequest(fmt::format("{}: key link[{}]: expected one link between {} and {}",
                                            file, number, link.a, link.b));
    }
    map.links.push_back(std::move(link));
  }
  for (const toml::table* one : doors) {
    ASSIGN_OR_RETURN(DoorConfig door, ReadDoor(*one, file, map.doors.size() + 1));
    map.doors.push_back(std::move(door));
  }
  return map;
}

Status AddDoors(const core::ClusterConfig& config, const std::string& bind, WanMap* map) {
  for (const core::PathConfig& path : config.paths) {
    const std::string* to = RegionThatListens(config, path.to);
    if (to == nullptr) {
      return Status::BadRequest(fmt::format("{}: nobody listens at {}", config.file, path.to));
    }
    std::string listen = AddressOf(path.via);
    if (!bind.empty()) listen = bind + listen.substr(listen.rfind(':'));
    map->doors.push_back({path.from, *to, std::move(listen), AddressOf(path.to)});
  }
  if (map->doors.size() > kDoorsMax) {
    return Status::TooLarge(kDoorsMax, fmt::format("{} doors", map->doors.size()));
  }
  return {};
}

void AddUsualLinks(WanMap* map) {
  for (const DoorConfig& door : map->doors) {
    if (map->FindLink(door.from, door.to) != nullptr) continue;
    map->links.push_back(
        {door.from, door.to, {UsualDelay(door.from, door.to), Duration(0), kUsualBitsPerS}});
  }
}

}  // namespace homeport::wan
