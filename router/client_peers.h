// Client peers: a RouterSocket's PeerId as a number and back, without a table that would have to be
// bounded.
//
// ZeroMQ's own identities have 5 bytes. A client that chose a longer one for itself than fits is
// not served.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/socket.h"
#include "router/long_polls.h"

namespace homeport::router {

inline constexpr size_t kPeerBytesMax = 7;

inline std::optional<ClientPeer> ClientPeerOf(const core::PeerId& id) {
  if (id.empty() || id.size() > kPeerBytesMax) return std::nullopt;
  uint64_t number = id.size();
  for (const char c : id) number = number << 8 | static_cast<unsigned char>(c);
  return ClientPeer(number << 8 * (kPeerBytesMax - id.size()));
}

inline core::PeerId PeerIdOf(ClientPeer peer) {
  const size_t size = peer.value() >> 8 * kPeerBytesMax;
  core::PeerId id;
  for (size_t i = 0; i < size; ++i) {
    id += static_cast<char>(peer.value() >> 8 * (kPeerBytesMax - 1 - i));
  }
  return id;
}

}  // namespace homeport::router
