// EventLog: what happened in a world, as one number (all of it) and as text (the last of it).
//
//   log.Add(now, "writer {} opens at {}", id, seq);
//
// Costs little: an event is a pointer to its text and up to six numbers; they become a line only
// when someone reads it. Numbers of strong types are taken as they are; "{:x}" suits epochs.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <type_traits>
#include <vector>

#include "core/time.h"

namespace homeport::sim {

// EventText: a literal and its hash, which is the same in every build and process.
class EventText {
 public:
  consteval EventText(const char* text) : text_(text), hash_(0xcbf29ce484222325u) {  // NOLINT
    for (const char* c = text; *c != '\0'; ++c) {
      hash_ = (hash_ ^ static_cast<unsigned char>(*c)) * 0x100000001b3u;
    }
  }
  const char* text() const { return text_; }
  uint64_t hash() const { return hash_; }

 private:
  const char* text_;
  uint64_t hash_;
};

class EventLog {
 public:
  // Keeps the last `kept` events; writes each to `live` at once when that is not null.
  explicit EventLog(size_t kept, std::FILE* live = nullptr) : kept_(kept), live_(live) {}

  template <class... Numbers>
  void Add(core::Instant at, EventText text, const Numbers&... numbers) {
    static_assert(sizeof...(numbers) <= kNumbersMax);
    Keep({at, text.text(), text.hash(), sizeof...(numbers), {AsNumber(numbers)...}});
  }

  // Over all events since the beginning, in order.
  uint64_t fingerprint() const { return fingerprint_; }
  // The last events, oldest first.
  std::vector<std::string> Lines() const;

 private:
  static constexpr size_t kNumbersMax = 6;
  struct Event {
    core::Instant at;
    const char* text = nullptr;
    uint64_t hash = 0;
    size_t count = 0;
    std::array<uint64_t, kNumbersMax> numbers{};
  };

  template <class Number>
  static uint64_t AsNumber(const Number& number) {
    if constexpr (std::is_integral_v<Number> || std::is_enum_v<Number>) {
      return static_cast<uint64_t>(number);
    } else {
      return number.value();
    }
  }
  void Keep(const Event& event);
  static std::string Line(const Event& event);

  const size_t kept_;
  std::FILE* const live_;
  std::vector<Event> ring_;  // the oldest at `next_` once it is full
  size_t next_ = 0;
  uint64_t fingerprint_ = 0;
};

}  // namespace homeport::sim
