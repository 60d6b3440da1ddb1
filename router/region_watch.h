// RegionWatch: writes to the log what an operator would ask about and no machine tells: a stream
// that has gone silent or stands still, a replica heard for the first time; and the machines'
// notes, so many of a kind.
//
// Used by the region's thread.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "core/config.h"
#include "core/time.h"
#include "replicator/region.h"

namespace homeport::router {

class RegionWatch {
 public:
  RegionWatch(const core::ClusterConfig& config, core::Incarnation self, core::Instant started);

  void Heard(core::Instant now, core::Incarnation region, uint8_t replica);
  void Noted(core::Instant now, const replicator::Note& note);
  // About once a second.
  void Look(core::Instant now, const replicator::RegionStatus& status);

 private:
  struct Noise {
    core::Instant window;  // when it began
    int told = 0;
    uint64_t untold = 0;
  };
  // Streams of one region that changed since the last look, for one line.
  struct Changed {
    std::string shards;  // "0,1,2"
    uint64_t lag_entries = 0;
    core::Duration silent{0};
  };
  // Whether the stream changed between stalled and not.
  bool LookAtStream(core::Instant now, const replicator::StreamLag& stream);
  void LookAtStreams(core::Instant now, const replicator::RegionStatus& status);
  void LookAtReplicas(core::Instant now, const replicator::RegionStatus& status);
  std::string NameOf(core::Incarnation incarnation) const;

  std::map<core::Incarnation, std::string> names_;
  const core::Incarnation self_;
  const core::Instant started_;
  std::map<std::pair<core::Incarnation, uint8_t>, core::Instant> heard_;  // the last time
  struct Progress {
    core::Seq applied;
    core::Instant since;  // when it last moved, or had nothing to do
    bool stalled = false;
  };
  std::map<core::StreamId, Progress> progress_;
  std::set<uint8_t> silent_told_;  // own replicas
  std::map<std::string, Noise> notes_;
};

}  // namespace homeport::router
