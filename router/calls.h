// Calls: a client's requests in flight. Sends each to a region, again while there is no answer, on
// to the home that MOVED names, and later again when the answer was "not now".
//
//   Start --> sent --(answer)--> finished
//              ^ |---(MOVED)------------------------> sent to the home it names
//              | |---(no answer for a while)--------> sent again (route kAny: to the next region),
//              | |                                    each time after twice as long
//              | |---(UNAVAILABLE, NO_QUORUM, OVERLOADED)--> waits, longer each time
//              +-----------------------------------------------+
//      any --(deadline)--> finished with the last error
//
// Invariants:
//  (1) a call finishes once
//  (2) a request goes out again unchanged, so a command keeps its client message id
//  (3) a request for a home in a blocked region goes to another one instead, which sends it on once
//      the block is lifted
//  (4) redirects are bounded, and slowed down after the first few: two regions that disagree about
//  a home
//      (one has not learned yet) are not flooded
//
// Pure: no sockets or clock; pseudo-random only from the seed given. Not thread safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/status.h"
#include "core/time.h"
#include "router/wire.h"

namespace homeport::router {

using CallId = core::StrongInt<struct CallIdTag, uint64_t>;

struct CallsOptions {
  core::Duration resend_after = std::chrono::seconds(1);
  // Of a request that the gateway may hold: it is silent because there is no news.
  core::Duration resend_held_after = std::chrono::seconds(5);
  core::Duration resend_after_max = std::chrono::seconds(10);
  core::Duration retry_after_min = std::chrono::milliseconds(20);
  core::Duration retry_after_max = std::chrono::seconds(1);
  int redirects_max = 16;
  int redirects_at_once_max = 4;  // past that each waits as a retry does
  size_t homes_max = 65536;       // remembered; the oldest is forgotten
  bool homes_from_ids = true;     // else a user not met before is asked for at the preferred region
  uint64_t seed = 1;
};

// Where a request goes.
struct Route {
  enum class Kind {
    kFixed,  // to `region` only
    kHome,   // where `subject` is homed: as remembered, else its birth region; follows MOVED
    kName,   // to `region`, the home of a name's partition as far as we know; follows MOVED
    kAny,    // to the preferred region, to the next one while there is no answer
  };
  Kind kind = Kind::kAny;
  core::Incarnation region;
  core::Uin subject;
  // The answer may be held back by the gateway until then, in requests that have a wait_ms.
  std::optional<core::Instant> hold_until;
  // How long to wait for an answer before it is sent again; without it CallsOptions' own.
  std::optional<core::Duration> resend_after = std::nullopt;
};

struct CallsOutput {
  struct Send {
    core::Incarnation region;
    uint64_t number = 0;
    std::string bytes;
  };
  struct Finished {
    CallId call;
    core::Result<ResponseBody> answer;  // never holds a Status
  };
  struct Redirect {
    core::Incarnation from;
    core::Incarnation to;
    core::Uin subject;
  };
  std::vector<Send> sends;
  std::vector<Finished> finished;
  std::vector<Redirect> redirects;
};

struct CallsStats {
  uint64_t malformed = 0;  // answers that could not be read
  uint64_t stray = 0;      // answers to nothing we wait for: late or repeated
  uint64_t resends = 0;
  uint64_t retries = 0;
  uint64_t redirects = 0;
};

class Calls {
 public:
  // `regions`: all, the preferred one first. REQUIRES: not empty.
  Calls(CallsOptions options, std::vector<GatewayAddress> regions);

  // What is larger than a gateway takes finishes with kTooLarge, unsent: it would cost the
  // connection.
  CallId Start(core::Instant now, Route route, RequestBody body, core::Instant deadline,
               CallsOutput* out);
  void Receive(core::Instant now, core::Incarnation region, std::string_view bytes,
               CallsOutput* out);
  // The connection to this region is a new one: what its gateway held for us, it may have forgotten
  // by its restart. All that is asked there and may be held goes out again, unchanged.
  void Reconnected(core::Instant now, core::Incarnation region, CallsOutput* out);
  // The transport could not take it now: it goes out again later.
  void SendRefused(core::Instant now, uint64_t number);
  void Tick(core::Instant now, CallsOutput* out);
  std::optional<core::Instant> NextDeadline() const;

  size_t in_flight() const { return calls_.size(); }
  const CallsStats& stats() const { return stats_; }

 private:
  struct Call {
    CallId id;
    Route route;
    RequestBody body;
    core::Instant started;
    core::Instant deadline;
    core::Instant next;  // when to act: resend, retry or give up
    bool sent = false;   // and not answered
    core::Incarnation target;
    int redirects = 0;
    core::Duration resend_after{0};
    core::Duration retry_after{0};
    std::optional<core::Status> last_error;
  };
  using CallMap =
      std::unordered_map<uint64_t, Call>;  // by number of the last sending; never iterated

  const GatewayAddress* Find(core::Incarnation incarnation) const;
  bool IsBlocked(core::Incarnation region) const;
  // What a gateway said of blocked regions; the latest counts.
  void Learn(const BlockedRegions& blocked);
  core::Incarnation FirstTarget(const Route& route) const;
  // One that is not blocked, if there is any.
  core::Incarnation NextRegion(core::Incarnation after) const;
  void Remember(core::Uin uin, core::Incarnation home, core::MastershipEpoch epoch);
  // Whether the gateway may hold its answer back.
  static bool IsHeld(const Call& call, core::Instant now);
  void SetTimer(uint64_t number, Call* call, core::Instant at);
  void Send(core::Instant now, uint64_t number, Call* call, CallsOutput* out);
  void SendAnew(core::Instant now, CallMap::iterator at, CallsOutput* out);
  void RetryLater(core::Instant now, uint64_t number, Call* call, core::Duration at_least);
  void FollowMoved(core::Instant now, CallMap::iterator at, const core::Status& moved,
                   CallsOutput* out);
  void GiveUp(CallMap::iterator at, CallsOutput* out);
  void Finish(CallMap::iterator at, core::Result<ResponseBody> answer, CallsOutput* out);

  const CallsOptions options_;
  const std::vector<GatewayAddress> regions_;
  CallMap calls_;
  std::set<std::pair<core::Instant, uint64_t>> timers_;  // (next, number), one per call
  struct Home {
    core::Incarnation incarnation;
    core::MastershipEpoch epoch;
  };
  std::unordered_map<core::Uin, Home> homes_;
  std::deque<core::Uin> homes_by_age_;
  uint64_t next_number_ = 1;
  uint64_t next_call_ = 1;
  BlockedRegions blocked_;
  CallsStats stats_;
};

}  // namespace homeport::router
