// Verify: that all regions hold the same.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/status.h"
#include "router/client.h"

namespace homeport::cli {

struct VerifyOptions {
  std::chrono::seconds timeout{300};                // for all to be applied everywhere
  std::function<void(const std::string&)> on_wait;  // what is waited for, when it changes
};

// A table of a shard that is not the same everywhere.
struct Difference {
  core::ShardId shard;
  std::string table;
  struct Copy {
    std::string region;
    uint64_t rows = 0;
    uint64_t digest = 0;
  };
  std::vector<Copy> copies;  // one per region
};
struct VerifyReport {
  uint64_t entries = 0;  // of all streams
  uint64_t rows = 0;     // in one region
  uint64_t tables = 0;   // compared, over all shards
  double waited_s = 0;
  std::vector<Difference> differences;
};

// Waits until every stream is applied everywhere and nothing is on its way, then compares a digest
// of every table of every shard between all regions. kUnavailable when that state is not reached in
// time.
core::Result<VerifyReport> Verify(router::Client& client, const core::ClusterConfig& config,
                                  const VerifyOptions& options);

}  // namespace homeport::cli
