// test_server DIR ENDPOINT CLUSTER: our own coordination store as a process, for tests to kill.
#include <atomic>
#include <cstdio>

#include "coordination/coordination_server.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  homeport::core::Context context;
  const auto server = homeport::coordination::CoordinationServer::Open(
      context, {.dir = argv[1], .endpoint = argv[2], .cluster = argv[3]});
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", server.status().ToString().c_str());
    return 1;
  }
  const std::atomic<bool> stop{false};
  return (*server)->Run(stop).ok() ? 0 : 1;
}
