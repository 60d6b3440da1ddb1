// Local reads: answers a gateway gives from its region's own copy, applied state only.
//
// Pure functions over a StoreView. What the client asks for is clamped: no answer grows without
// bound.
#pragma once

#include <cstddef>

#include "core/config.h"
#include "core/messaging/sync.h"
#include "core/store.h"
#include "router/wire.h"

namespace homeport::router {

inline constexpr uint32_t kListLimitMax = 1000;
// Members counted for one answer, over all its groups; past that a count stays lower than the
// truth.
inline constexpr size_t kMembersCountedMax = 100000;
inline constexpr uint32_t kSyncItemsMax = 1000;
inline constexpr uint32_t kSyncBytesMax = 1 << 20;

class LocalReads {
 public:
  // Both outlive it.
  LocalReads(const core::ClusterConfig* config, const core::StoreView* store)
      : shards_(config->shards),
        sync_{config->shards, core::SnapshotKey::FromSecret(config->secret)},
        store_(store) {}

  ResolvedAnswer Resolve(const ResolveRequest& request) const;
  ResolvedAnswer Show(const ShowRequest& request) const;
  // A limit of 0, or above kListLimitMax, is kListLimitMax.
  AccountsAnswer List(const ListRequest& request) const;
  MembersAnswer Members(const MembersRequest& request) const;
  // A page with the names of its senders and groups, empty where an account is not known here; and
  // what the request acknowledges.
  struct SyncRead {
    SyncResult result;
    std::optional<core::SyncAcknowledgement> acknowledges;
    core::Uin awaits_group = {};
  };
  // What the page is read from; its user's account, for who serves it, is in it.
  core::SyncHead Begin(const SyncRequest& request) const {
    return core::ReadSyncHead(*store_, sync_, request.user, request.device, request.snapshot);
  }
  core::Result<SyncRead> Sync(const SyncRequest& request, const core::SyncHead& head) const;
  core::Result<core::RecordsPage> Records(const RecordsRequest& request) const;

 private:
  AccountView ViewOf(core::AccountInfo account, size_t* countable) const;

  uint16_t shards_;
  core::SyncContext sync_;
  const core::StoreView* store_;
};

}  // namespace homeport::router
