// homeport-fuzz TARGET [libFuzzer's arguments]: with libFuzzer, so with clang only.
#include <stdlib.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/fuzz/target.h"

namespace {

constexpr const char* kTargetVariable = "HOMEPORT_FUZZ_TARGET";
const homeport::fuzz::FuzzTarget* g_target = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc > 1) g_target = homeport::fuzz::FindTarget((*argv)[1]);
  if (g_target != nullptr) {
    for (int i = 1; i + 1 < *argc; ++i) (*argv)[i] = (*argv)[i + 1];
    --*argc;
    // libFuzzer starts itself again, for a merge, without what it does not know.
    ::setenv(kTargetVariable, std::string(g_target->name).c_str(), 1);
  } else if (const char* name = std::getenv(kTargetVariable)) {
    g_target = homeport::fuzz::FindTarget(name);
  }
  if (g_target != nullptr) return 0;
  std::fprintf(stderr, "homeport-fuzz TARGET [libFuzzer's arguments]; targets:\n");
  for (const auto& target : homeport::fuzz::AllTargets()) {
    std::fprintf(stderr, "  %s\n", std::string(target.name).c_str());
  }
  std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  g_target->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
