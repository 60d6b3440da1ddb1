// LifeStore: where a region's keeper remembers the lives of its replicas' disks (disk_life.h).
//
// Like the grants it must not go back: an old one takes an amnesiac for well. It is told from the
// replicas' directories when it does (LifeVerdict::kStoreIsOlder), unless they went back too.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/status.h"
#include "quorum_queue/disk_life.h"

namespace homeport::quorum_queue {

class LifeStore {
 public:
  virtual ~LifeStore() = default;
  // Empty when nothing was ever written.
  virtual core::Result<std::vector<DiskLife>> Read() = 0;
  // In place of all there was, durably. After a failure there is either.
  virtual core::Status Write(const std::vector<DiskLife>& lives) = 0;
};

// LocalLifeStore: a file of a region's directory, replaced atomically. For a region whose daemon is
// one process at a time.
class LocalLifeStore : public LifeStore {
 public:
  LocalLifeStore(std::string file, core::Incarnation incarnation)
      : file_(std::move(file)), incarnation_(incarnation) {}
  core::Result<std::vector<DiskLife>> Read() override;
  core::Status Write(const std::vector<DiskLife>& lives) override;

 private:
  const std::string file_;
  const core::Incarnation incarnation_;
};

}  // namespace homeport::quorum_queue
