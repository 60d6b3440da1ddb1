#include "quorum_queue/disk_life.h"

#include <algorithm>

#include "quorum_queue/planted.h"

namespace homeport::quorum_queue {

LifeVerdict JudgeLife(const DiskLife& known, const Life& life, RecordNumber record) {
  const bool offered = known.offered != Life() && life == known.offered;
  if (life == known.admitted || offered || HOMEPORT_PLANTED("lives-not-compared")) {
    if (record >= known.mark || HOMEPORT_PLANTED("marks-not-compared")) return LifeVerdict::kKnown;
    return LifeVerdict::kAmnesiac;
  }
  if (life.number > std::max(known.admitted.number, known.offered.number)) {
    return LifeVerdict::kStoreIsOlder;
  }
  return LifeVerdict::kAmnesiac;
}

}  // namespace homeport::quorum_queue
