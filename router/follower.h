// Follower: mastership that follows its user, as PNUTS has it: notes where a user's writes come
// from, and says when the user had better live there.
//
// A user moves when the last `writes` of its writes came from clients that are nearest to one other
// region, no sooner than `stay` after it was first seen here; and so many users a second at most.
// What it notes is in memory only: whoever has just come, or whose home has just started, stays for
// a while. That, and that one write from elsewhere begins the count anew, keeps a user between two
// regions from being moved forth and back.
//
// Pure; not thread safe. docs/mastership.md, "Homes that follow".
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>

#include "core/ids.h"
#include "core/time.h"
#include "router/token_bucket.h"

namespace homeport::router {

struct FollowerOptions {
  core::Incarnation self;
  uint32_t writes = 0;  // 0: nobody is moved, and nothing noted
  core::Duration stay = std::chrono::seconds(60);
  uint32_t moves_per_second = 10;
  size_t users_max = 200000;  // noted; the one first seen is forgotten
};

class Follower {
 public:
  explicit Follower(const FollowerOptions& options)
      : options_(options), moves_(options.moves_per_second) {}

  // A write of `user`, at home here, came from a client nearest to `from`. The region that the user
  // is to live in from now on, if it is another.
  std::optional<core::Incarnation> OnWrite(core::Instant now, core::Uin user,
                                           core::Incarnation from);
  size_t size() const { return users_.size(); }

 private:
  struct Noted {
    core::Instant since;
    core::Incarnation from;  // of the last write
    uint32_t in_a_row = 0;   // writes from there
  };

  const FollowerOptions options_;
  TokenBucket moves_;
  std::unordered_map<core::Uin, Noted> users_;  // never iterated
  std::deque<core::Uin> by_age_;
};

}  // namespace homeport::router
