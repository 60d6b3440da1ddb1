#include "core/check.h"

#include <cstdio>
#include <cstdlib>

namespace homeport::core {

void CheckFailed(const char* file, int line, const char* condition, const std::string& why) {
  // stdio and nothing else: the process may be in any state.
  std::fprintf(stderr, "%s:%d: CHECK failed: %s: %s\n", file, line, condition, why.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace homeport::core
