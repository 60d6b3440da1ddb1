// Acknowledgements: which of the snapshots that devices bring are worth telling their home's shard.
// The shard decides again; this only spares it most of them.
//
// Bounded: when it knows too many devices it forgets them all, and tells one more of each. Pure;
// not thread safe.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "core/messaging/commands.h"
#include "core/messaging/options.h"
#include "core/messaging/sync.h"
#include "core/time.h"

namespace homeport::router {

class Acknowledgements {
 public:
  Acknowledgements(const core::MessagingOptions& options, size_t devices_max)
      : options_(options), devices_max_(devices_max) {}

  // Whether to tell; then it counts as told.
  bool Tell(core::Instant now, core::Uin user, core::DeviceNumber device,
            const core::SyncAcknowledgement& what) {
    if (told_.size() >= devices_max_) told_.clear();
    const auto [at, is_new] = told_.try_emplace(Key{user, device}, Told{what.brought, now});
    if (is_new) return true;
    Told& last = at->second;
    const bool ahead = what.brought > last.position &&
                       (what.brought.epoch != last.position.epoch ||
                        what.brought.version - last.position.version >= options_.ack_items);
    if (!ahead && now - last.at < options_.ack_age) return false;
    last = {what.brought, now};
    return true;
  }

 private:
  struct Key {
    core::Uin user;
    core::DeviceNumber device;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const {
      return std::hash<uint64_t>()(key.user.value() * 31 + key.device.value());
    }
  };
  struct Told {
    core::Stamp position;
    core::Instant at;
  };
  core::MessagingOptions options_;
  size_t devices_max_;
  std::unordered_map<Key, Told, Hash> told_;  // never iterated
};

}  // namespace homeport::router
