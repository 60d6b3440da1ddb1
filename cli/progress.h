// Progress: a bar on a terminal's stderr; nothing elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace homeport::cli {

class Progress {
 public:
  Progress(std::string what, uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // Draws at most ten times a second. `note`: what else to say at the end of the line.
  void Show(uint64_t done, const std::string& note);

 private:
  using Clock = std::chrono::steady_clock;
  const std::string what_;
  const uint64_t total_;
  const bool terminal_;
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point drawn_{};
};

}  // namespace homeport::cli
