// CHECK: for our own bugs. Prints the condition, why it must hold and the values, and aborts,
// always.
//
//   CHECK(committed <= next, "committed never passes the last entry", committed, next);
//
// For what peers, disks, operators or clients do wrong use Status (core/status.h).
#pragma once

#include <sstream>
#include <string>
#include <string_view>

namespace homeport::core {

// What a failed CHECK does instead of ending the process: must not return (may throw). For
// simulators, which tell the seed first; the product has none.
using CheckHandler = void (*)(const std::string& what);
// Returns the former one; null: end the process.
CheckHandler SetCheckHandler(CheckHandler handler);

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              const std::string& why);

template <class... Values>
std::string CheckText(std::string_view why, const Values&... values) {
  std::ostringstream out;
  out << why;
  ((out << " | " << values), ...);
  return out.str();
}

}  // namespace homeport::core

#define CHECK(condition, ...)                                                  \
  do {                                                                         \
    if (!(condition)) [[unlikely]]                                             \
      ::homeport::core::CheckFailed(__FILE__, __LINE__, #condition,            \
                                    ::homeport::core::CheckText(__VA_ARGS__)); \
  } while (false)

// Costly checks: in debug builds and the simulator.
#if !defined(NDEBUG) || defined(HOMEPORT_EXPENSIVE_CHECKS)
#define EXPENSIVE_CHECK(...) CHECK(__VA_ARGS__)
#else
#define EXPENSIVE_CHECK(...) \
  do {                       \
  } while (false)
#endif
