// homeport-fuzz TARGET [libFuzzer's arguments]: with libFuzzer, so with clang only.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/target.h"

namespace {

const homeport::fuzz::FuzzTarget* g_target = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc > 1) g_target = homeport::fuzz::FindTarget((*argv)[1]);
  if (g_target == nullptr) {
    std::fprintf(stderr, "homeport-fuzz TARGET [libFuzzer's arguments]; targets:\n");
    for (const auto& target : homeport::fuzz::AllTargets()) {
      std::fprintf(stderr, "  %s\n", std::string(target.name).c_str());
    }
    std::exit(2);
  }
  // libFuzzer does not know the first argument, and starts itself again with the others: they stay.
  for (int i = 1; i + 1 < *argc; ++i) (*argv)[i] = (*argv)[i + 1];
  --*argc;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  g_target->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
