// Front identity: the PeerId of a process that passes on the requests of many clients, so that the
// gateway does not count them as one connection. Sealed with the cluster's key: no client can make
// one.
#pragma once

#include <cstdint>
#include <string>

#include "core/messaging/snapshot.h"
#include "core/socket.h"
#include "router/client_peers.h"

namespace homeport::router {

inline constexpr size_t kFrontSaltBytes = 3;

inline std::string FrontSeal(const core::SnapshotKey& key, const std::string& salt) {
  const uint64_t seal = key.Seal("front " + salt);
  std::string bytes;
  for (size_t i = 0; i < kPeerBytesMax - kFrontSaltBytes; ++i) {
    bytes += static_cast<char>(seal >> 8 * i);
  }
  return bytes;
}

inline core::PeerId NewFrontId(const core::SnapshotKey& key, uint64_t random) {
  // Ids that begin with a zero are ZeroMQ's own.
  std::string salt = {static_cast<char>(random | 0x80), static_cast<char>(random >> 8),
                      static_cast<char>(random >> 16)};
  return salt + FrontSeal(key, salt);
}

inline bool IsFront(const core::SnapshotKey& key, ClientPeer peer) {
  const core::PeerId id = PeerIdOf(peer);
  return id.size() == kPeerBytesMax && id[0] != 0 &&
         id.substr(kFrontSaltBytes) == FrontSeal(key, id.substr(0, kFrontSaltBytes));
}

}  // namespace homeport::router
