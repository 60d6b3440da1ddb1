// What both halves of the client wire share (router/wire.h).
#pragma once

#include <fmt/format.h>

#include <array>
#include <string>

#include "core/codec.h"
#include "core/config.h"
#include "core/messaging/commands.h"
#include "router/client.capnp.h"
#include "router/wire.h"

namespace homeport::router {

inline std::string String(capnp::Data::Reader data) {
  return std::string(core::View(data));
}
inline std::string String(capnp::Text::Reader text) {
  return std::string(core::View(text));
}

inline core::Status ReadEndpoints(capnp::List<capnp::Text>::Reader from,
                                  std::array<std::string, 3>* to) {
  if (from.size() != to->size()) {
    return core::Status::BadRequest(
        fmt::format("a group has three replicas; endpoints given: {}", from.size()));
  }
  for (unsigned slot = 0; slot < from.size(); ++slot) {
    (*to)[slot] = String(from[slot]);
    if (core::IsEndpoint((*to)[slot])) continue;
    return core::Status::BadRequest(
        "an endpoint of a group's replica is none: expected one as "
        "tcp://127.0.0.1:7110");
  }
  return {};
}

inline core::Status ReadKind(uint8_t number, core::AccountKind* kind) {
  if (number > static_cast<uint8_t>(core::AccountKind::kGroup)) {
    return core::Status::BadRequest(fmt::format("no such kind of account: {}", number));
  }
  *kind = static_cast<core::AccountKind>(number);
  return {};
}

inline void FillVersion(const core::Stamp& from, wire::Version::Builder to) {
  to.setTakeover(from.epoch.takeover);
  to.setMove(from.epoch.move);
  to.setVersion(from.version.value());
}
inline core::Stamp ReadVersion(wire::Version::Reader from) {
  return {{from.getTakeover(), from.getMove()}, core::Version(from.getVersion())};
}

// wire_change.cc
void FillChange(const core::ChangeCommand& from, wire::Change::Builder to);
core::Result<core::ChangeCommand> ReadChange(wire::Change::Reader from);

inline core::Status CheckVersion(uint16_t version) {
  if (version == kClientVersion) return {};
  return core::Status::BadRequest(
      fmt::format("version {} of the client protocol is not spoken here: this "
                  "side speaks version {}",
                  version, kClientVersion));
}

}  // namespace homeport::router
