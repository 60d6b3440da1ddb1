#include "core/check.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace homeport::core {
namespace {

std::atomic<CheckHandler> check_handler{nullptr};

}  // namespace

CheckHandler SetCheckHandler(CheckHandler handler) {
  return check_handler.exchange(handler);
}

void CheckFailed(const char* file, int line, const char* condition, const std::string& why) {
  if (const CheckHandler handler = check_handler.load()) {
    handler(std::string(file) + ":" + std::to_string(line) + ": " + condition + ": " + why);
  }
  // stdio and nothing else: the process may be in any state.
  std::fprintf(stderr, "%s:%d: CHECK failed: %s: %s\n", file, line, condition, why.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace homeport::core
