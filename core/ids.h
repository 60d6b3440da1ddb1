// Strong types for every number that has a meaning. Mixing two does not compile.
//
// The words are those of docs/glossary.md. For fmt include core/format.h.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <ostream>

namespace homeport::core {

// StrongInt: an integer of one kind. Explicit to make, `.value()` to take out, ordered, hashable.
template <class Tag, class Rep>
class StrongInt {
 public:
  using rep = Rep;
  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr auto operator<=>(const StrongInt&) const = default;
  constexpr StrongInt operator+(Rep n) const { return StrongInt(static_cast<Rep>(value_ + n)); }
  constexpr StrongInt operator-(Rep n) const { return StrongInt(static_cast<Rep>(value_ - n)); }
  // Distance between two of a kind. REQUIRES: *this >= other.
  constexpr Rep operator-(StrongInt other) const { return static_cast<Rep>(value_ - other.value_); }
  constexpr StrongInt& operator++() {
    ++value_;
    return *this;
  }

 private:
  Rep value_ = 0;
};

template <class Tag, class Rep>
std::ostream& operator<<(std::ostream& out, StrongInt<Tag, Rep> n) {
  return out << +n.value();
}

// Position of an entry in its stream: 1, 2, 3 ... ; 0 is "before the first".
using Seq = StrongInt<struct SeqTag, uint64_t>;
// Epoch of a stream's writer: (counter, random part), compared as one number. 0 is "none".
using WriterEpoch = StrongInt<struct WriterEpochTag, uint64_t>;
// Number of one life of a region, 1 .. 65535, given once. 0 is "none".
using Incarnation = StrongInt<struct IncarnationTag, uint16_t>;
// 0 .. shard count - 1.
using ShardId = StrongInt<struct ShardIdTag, uint16_t>;
// Identity of one replica's disk, given when its directory is made. Never 0.
using DiskId = StrongInt<struct DiskIdTag, uint64_t>;
// A user or a group: birth incarnation (16 bits), local counter (48 bits). 0 is "none".
using Uin = StrongInt<struct UinTag, uint64_t>;
// A message: incarnation of the sender's home (16 bits), local counter (48 bits).
using MessageId = StrongInt<struct MessageIdTag, uint64_t>;
// Chosen by the client, unique per sender; the same for every retry of one command.
using ClientMessageId = StrongInt<struct ClientMessageIdTag, uint64_t>;
// What a user's devices are told apart by. 0: no device; it acknowledges nothing.
using DeviceNumber = StrongInt<struct DeviceNumberTag, uint16_t>;
// Counter of one table of one user or group, raised by every change.
using Version = StrongInt<struct VersionTag, uint64_t>;

// The ordered log of one (incarnation, shard).
class StreamId {
 public:
  constexpr StreamId() = default;
  constexpr StreamId(Incarnation incarnation, ShardId shard)
      : value_(static_cast<uint64_t>(incarnation.value()) << 16 | shard.value()) {}
  static constexpr StreamId FromValue(uint64_t value) {
    StreamId id;
    id.value_ = value;
    return id;
  }
  constexpr Incarnation incarnation() const {
    return Incarnation(static_cast<uint16_t>(value_ >> 16));
  }
  constexpr ShardId shard() const { return ShardId(static_cast<uint16_t>(value_)); }
  constexpr uint64_t value() const { return value_; }
  constexpr auto operator<=>(const StreamId&) const = default;

 private:
  uint64_t value_ = 0;
};
inline std::ostream& operator<<(std::ostream& out, StreamId s) {
  return out << s.incarnation() << '/' << s.shard();
}

// Layout of a 64-bit id (Uin, MessageId): birth incarnation above, counter of that incarnation
// below.
inline constexpr int kIdCounterBits = 48;
constexpr uint64_t MakeId(Incarnation incarnation, uint64_t counter) {
  return static_cast<uint64_t>(incarnation.value()) << kIdCounterBits | counter;
}
constexpr Incarnation BirthIncarnation(Uin uin) {
  return Incarnation(static_cast<uint16_t>(uin.value() >> kIdCounterBits));
}
constexpr uint64_t IdCounter(uint64_t id) {
  return id & ((uint64_t{1} << kIdCounterBits) - 1);
}

// Mastership epoch of a record: takeovers count first, moves second. Only grows. Design section 6.
struct MastershipEpoch {
  uint32_t takeover = 0;
  uint32_t move = 0;
  constexpr auto operator<=>(const MastershipEpoch&) const = default;
};

// Stamp of a row: the higher wins. Design section 5, rule 1.
struct Stamp {
  MastershipEpoch epoch;
  Version version;
  constexpr auto operator<=>(const Stamp&) const = default;
};

}  // namespace homeport::core

template <class Tag, class Rep>
struct std::hash<homeport::core::StrongInt<Tag, Rep>> {
  size_t operator()(homeport::core::StrongInt<Tag, Rep> n) const noexcept {
    return std::hash<Rep>()(n.value());
  }
};
template <>
struct std::hash<homeport::core::StreamId> {
  size_t operator()(homeport::core::StreamId s) const noexcept {
    return std::hash<uint64_t>()(s.value());
  }
};
