#include "bench/bench_replica.h"

#include <signal.h>
#include <sys/prctl.h>

#include <atomic>
#include <cstdio>

#include "quorum_queue/replica_server.h"

namespace homeport::bench {
namespace {

std::atomic<bool> g_stop{false};

void Stop(int) {
  g_stop = true;
}

}  // namespace

int RunBenchReplica(const std::string& dir, const std::string& endpoint) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::signal(SIGTERM, Stop);
  ::signal(SIGINT, SIG_IGN);  // the parent ends us
  core::Context context;
  quorum_queue::ReplicaServerOptions options;
  options.dir = dir;
  options.endpoint = endpoint;
  auto identity = quorum_queue::ReadIdentity(dir);
  if (identity.ok()) options.expected = *identity;
  auto server = quorum_queue::ReplicaServer::Open(context, std::move(options));
  if (!server.ok()) {
    std::fprintf(stderr, "replica: %s\n", server.status().ToString().c_str());
    return 1;
  }
  (*server)->Run(g_stop);
  return 0;
}

}  // namespace homeport::bench
