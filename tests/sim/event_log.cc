#include "tests/sim/event_log.h"

#include <fmt/args.h>
#include <fmt/format.h>

namespace homeport::sim {

void EventLog::Keep(const Event& event) {
  const auto mix = [this](uint64_t x) {
    fingerprint_ = (fingerprint_ ^ x) * 0x9E3779B97F4A7C15u;
    fingerprint_ ^= fingerprint_ >> 29;
  };
  mix(static_cast<uint64_t>(event.at.time_since_epoch().count()));
  mix(event.hash);
  for (size_t i = 0; i < event.count; ++i) mix(event.numbers[i]);

  if (live_ != nullptr) std::fprintf(live_, "%s\n", Line(event).c_str());
  if (kept_ == 0) return;
  if (ring_.size() < kept_) {
    ring_.push_back(event);
    return;
  }
  ring_[next_] = event;
  next_ = (next_ + 1) % kept_;
}

std::string EventLog::Line(const Event& event) {
  fmt::dynamic_format_arg_store<fmt::format_context> numbers;
  for (size_t i = 0; i < event.count; ++i) numbers.push_back(event.numbers[i]);
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(event.at.time_since_epoch()).count();
  return fmt::format("{:4}.{:06} {}", micros / 1000000, micros % 1000000,
                     fmt::vformat(event.text, numbers));
}

std::vector<std::string> EventLog::Lines() const {
  std::vector<std::string> lines;
  for (size_t i = 0; i < ring_.size(); ++i) {
    lines.push_back(Line(ring_[(next_ + i) % ring_.size()]));
  }
  return lines;
}

}  // namespace homeport::sim
