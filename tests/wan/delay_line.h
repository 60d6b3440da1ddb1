// DelayLine: one direction of a link between two regions: when what goes in comes out again.
//
// Pure: no I/O, no clock, no threads; its jitter comes from a seed.
//
//   Put --> waits until the bandwidth has carried it --> under way for delay + jitter --> Take
//
// Several connections share a line, as they share a real one. While it stands still (a cut, a
// stall) no time passes in it: what is inside stays, and goes on where it was.
//
// Invariants:
//  (1) what comes out went in, whole, in the same order, and none of it earlier than the delay
//      after it went in
//  (2) bytes() <= CapacityBytes() + one parcel, if its user asks HasRoom before each Put
//
// Not thread safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "tests/sim/sim_random.h"

namespace homeport::wan {

using core::Duration;
using core::Instant;

struct LineOptions {
  Duration delay{};
  Duration jitter{};        // up to so much more, evenly spread
  uint64_t bits_per_s = 0;  // 0: no limit
};

// Numbers one connection and tells its two ends apart.
struct EndId {
  uint64_t connection = 0;
  bool is_far = false;  // the end at the door's target; else the one that came to the door
  bool operator==(const EndId&) const = default;
};

// What goes through a line.
struct Parcel {
  enum class Kind : uint8_t {
    kOpen,    // a client came to the door
    kOpened,  // the target has accepted it
    kBytes,
    kEnd,    // no more bytes from this side
    kReset,  // the connection is lost
  };
  EndId to;
  Kind kind = Kind::kBytes;
  std::string bytes;
};

class DelayLine {
 public:
  DelayLine(const LineOptions& options, uint64_t seed) : options_(options), random_(seed) {}

  // Of what is put from now on.
  void Set(const LineOptions& options) { options_ = options; }
  const LineOptions& options() const { return options_; }

  // Whether bytes may be put in: so many wait for the bandwidth, or are inside, at most.
  bool HasRoom(Instant now);
  // Parcels without bytes need no room.
  void Put(Instant now, Parcel parcel);
  // What has come out by now, in order.
  std::vector<Parcel> Take(Instant now);
  // When Take will have something; nullopt: not before another call.
  std::optional<Instant> NextOut(Instant now);
  // REQUIRES: !HasRoom(now). When it will, if only time is needed for it.
  std::optional<Instant> NextRoom(Instant now);

  // Stands still until Resume, or for so long.
  void Stop(Instant now) { StopUntil(now, Instant::max()); }
  void StopFor(Instant now, Duration duration) { StopUntil(now, now + duration); }
  void Resume(Instant now);
  bool IsStopped(Instant now);

  uint64_t bytes() const { return bytes_; }          // inside
  uint64_t bytes_out() const { return bytes_out_; }  // ever taken
  uint64_t CapacityBytes() const;
  // How much one Put should bring: little enough that connections take turns.
  uint64_t ParcelBytes() const;

 private:
  struct Inside {
    Instant out;
    Parcel parcel;
  };
  struct Standing {
    Instant since;
    Instant until;
  };
  void StopUntil(Instant now, Instant until);
  // Ends a stall that is over; the moment that it is in the line.
  Instant Settle(Instant now);
  Duration Jitter();

  LineOptions options_;
  sim::Random random_;
  std::deque<Inside> inside_;
  uint64_t bytes_ = 0;
  uint64_t bytes_out_ = 0;
  Instant free_at_{};   // the bandwidth has carried all that was put in
  Instant last_out_{};  // of what was put in last
  std::optional<Standing> standing_;
};

}  // namespace homeport::wan
