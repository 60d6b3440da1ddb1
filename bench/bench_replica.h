// A replica as a process of its own, for benchmarks: what homeportd runs, without configuration.
#pragma once

#include <string>

namespace homeport::bench {

// Serves the formatted replica directory `dir` at `endpoint` until SIGTERM, or until the parent
// process ends. Returns the exit code.
int RunBenchReplica(const std::string& dir, const std::string& endpoint);

}  // namespace homeport::bench
