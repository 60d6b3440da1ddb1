// Bugs of the mender.
#include <algorithm>

#include "quorum_queue/codec.h"
#include "tests/sim/planted_bug.h"
#include "tests/sim/queue_sim.h"

namespace homeport::sim {

using quorum_queue::Fill;
using quorum_queue::Holdings;
using quorum_queue::LastEpoch;
using quorum_queue::ReplicaRequest;

namespace {

void MenderOn(QueueSimOptions* options) {
  options->mend.on = true;
}

// Each time the mender asks a replica what it holds, it fills in all that another member of the
// group has and does not know to be committed, with the epoch that the replica has promised.
bool FillUncommitted(QueueSim* sim, ProcessId, size_t replica, ReplicaRequest* request) {
  const auto* holdings = std::get_if<Holdings>(request);
  if (holdings == nullptr) return false;
  const DiskImage& target = sim->replica(replica).image();
  for (size_t source = replica / 3 * 3; source < replica / 3 * 3 + 3; ++source) {
    if (source == replica) continue;
    const DiskImage& image = sim->replica(source).image();
    for (const auto& [seq, entry] : image.entries()) {
      if (seq <= image.committed() || entry.epoch > target.promised()) continue;
      Fill fill{holdings->stream, target.promised(), {}};
      fill.run.first = seq;
      fill.run.epoch = entry.epoch;
      fill.run.sizes = {static_cast<uint32_t>(entry.payload.size())};
      fill.run.checksum = quorum_queue::BodyChecksum(entry.payload);
      fill.run.body = core::SharedBytes(entry.payload);
      sim->SendRequestUnplanted(sim->mender_id(), replica, fill);
    }
  }
  return false;
}

}  // namespace

std::vector<PlantedBug> MendBugs() {
  return {
      {.name = "mend-uncommitted",
       .what = "the mender fills in what its source does not know to be committed, past promises",
       .seen_as = "payload|lost|zombie|read|check|mend",
       .options = MenderOn,
       .request = FillUncommitted},
      {.name = "mender-asleep",
       .what = "the mender finds nothing to do",
       .seen_as = "mend",
       .options = MenderOn},
  };
}

}  // namespace homeport::sim
