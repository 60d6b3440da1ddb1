// Snapshot: what a client brings back to go on where it was: per sync table a stamp, compared as a
// pair. The token is its opaque form: at most 64 characters, tied to one user and one device, and
// sealed with the cluster's key, so that a changed or made-up one is seen. Design section 8,
// docs/messaging.md.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/status.h"

namespace homeport::core {

inline constexpr size_t kSnapshotTextMax = 64;

// Seals tokens. The same in all regions of a cluster.
class SnapshotKey {
 public:
  // Derived from the cluster's secret, so that the secret itself seals nothing else.
  static SnapshotKey FromSecret(std::string_view secret);
  // SipHash-2-4 of `bytes`.
  uint64_t Seal(std::string_view bytes) const;

 private:
  std::array<unsigned char, 16> key_{};
};

struct Snapshot {
  Uin user;
  DeviceNumber device;
  // Account and contacts share an epoch: the account's rows are few and sent whole.
  Stamp account;
  Stamp contacts;
  Stamp messages;
  bool operator==(const Snapshot&) const = default;
};
// kCorrupt when a stamp is out of any range we would give out: parts of an epoch below 2^24,
// versions below 2^48. REQUIRES: account and contacts have the same epoch.
Result<std::string> FormatSnapshot(const SnapshotKey& key, const Snapshot& snapshot);
// kBadRequest for anything FormatSnapshot did not make with this key.
Result<Snapshot> ParseSnapshot(const SnapshotKey& key, std::string_view token);

}  // namespace homeport::core
