// Upstream: what a front has asked the gateway of its region and waits for.
//
//   Ask --> sent --(answer)--------------------> answered
//             ^ |--(no answer for a while)-----> sent again, unchanged: the gateway drops a repeat
//             +-+
//      sent --(deadline)--> answered with kUnavailable: the outcome is unknown
//      sent --(Cancel)----> forgotten, here and there
//
// Invariants:
//  (1) what is asked is answered once, or cancelled
//  (2) no number is used twice
//
// Pure; not thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/time.h"
#include "router/wire.h"

namespace homeport::router {

struct UpstreamOptions {
  size_t requests_max = 10000;  // that wait for an answer the gateway does not hold
  size_t held_max = 100000;
  core::Duration resend_after = std::chrono::seconds(1);
  core::Duration resend_held_after = std::chrono::seconds(30);
  core::Duration give_up_after = std::chrono::seconds(10);  // and what the gateway may hold it
};

struct UpstreamOutput {
  struct Answered {
    uint64_t number = 0;
    ResponseBody body;
  };
  std::vector<std::string> sends;
  std::vector<Answered> answered;
};

class Upstream {
 public:
  explicit Upstream(UpstreamOptions options) : options_(options) {}

  // Its number, under which it is answered, maybe at once.
  uint64_t Ask(core::Instant now, const RequestBody& request, UpstreamOutput* out);
  // Nobody waits for it any more; of what is answered already, nothing.
  void Cancel(uint64_t number, UpstreamOutput* out);
  void Receive(std::string_view bytes, UpstreamOutput* out);
  // The connection to the gateway is a new one: what the gateway held, it may have forgotten by its
  // restart, and is asked again, unchanged.
  void Reconnected(core::Instant now, UpstreamOutput* out);
  void Tick(core::Instant now, UpstreamOutput* out);
  std::optional<core::Instant> NextDeadline() const;

  size_t waiting() const { return asked_.size(); }
  uint64_t malformed() const { return malformed_; }

 private:
  struct Asked {
    std::string bytes;
    core::Instant deadline;
    core::Instant next;
    bool held = false;
  };
  using AskedMap = std::unordered_map<uint64_t, Asked>;  // never iterated

  void SetTimer(uint64_t number, Asked* asked, core::Instant at);
  void Forget(AskedMap::iterator at);

  const UpstreamOptions options_;
  AskedMap asked_;
  std::set<std::pair<core::Instant, uint64_t>> timers_;  // (next, number)
  size_t held_ = 0;
  uint64_t next_number_ = 1;
  uint64_t malformed_ = 0;
};

}  // namespace homeport::router
