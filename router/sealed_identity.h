// Sealed identities: PeerIds by which a gateway knows whom it hears. Sealed with the cluster's key,
// so no client can make one; they go in clear, like all that is said, so the network between them
// must be the cluster's own.
//
//   front     passes on the requests of many clients: not counted as one connection
//   operator  may give orders (groups of the queue, homes of users): its cluster.toml says the
//   secret
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/messaging/snapshot.h"
#include "core/socket.h"
#include "router/client_peers.h"

namespace homeport::router {

enum class SealedRole : uint8_t { kFront, kOperator };

inline constexpr size_t kSealSaltBytes = 3;

inline std::string IdentitySeal(const core::SnapshotKey& key, SealedRole role,
                                const std::string& salt) {
  const std::string_view name = role == SealedRole::kFront ? "front " : "operator ";
  const uint64_t seal = key.Seal(std::string(name) + salt);
  std::string bytes;
  for (size_t i = 0; i < kPeerBytesMax - kSealSaltBytes; ++i) {
    bytes += static_cast<char>(seal >> 8 * i);
  }
  return bytes;
}

inline core::PeerId NewSealedId(const core::SnapshotKey& key, SealedRole role, uint64_t random) {
  // Ids that begin with a zero are ZeroMQ's own.
  std::string salt = {static_cast<char>(random | 0x80), static_cast<char>(random >> 8),
                      static_cast<char>(random >> 16)};
  return salt + IdentitySeal(key, role, salt);
}

inline bool IsSealed(const core::SnapshotKey& key, SealedRole role, ClientPeer peer) {
  const core::PeerId id = PeerIdOf(peer);
  return id.size() == kPeerBytesMax && id[0] != 0 &&
         id.substr(kSealSaltBytes) == IdentitySeal(key, role, id.substr(0, kSealSaltBytes));
}
inline bool IsFront(const core::SnapshotKey& key, ClientPeer peer) {
  return IsSealed(key, SealedRole::kFront, peer);
}

}  // namespace homeport::router
