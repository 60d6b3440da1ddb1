// LongPolls: requests whose answer is held until there is news or their time is over.
//
//   Add --> resting --(Wake of its user or group)--> due --(answered)--> Remove
//              |  ^----------(nothing for it)----------- |
//              +-----------------(deadline)------------> due, for the last time
//      any --(Cancel; a newer one of the same device)--> gone
//
// Pure; not thread safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "core/time.h"
#include "router/wire.h"

namespace homeport::router {

// A client's connection, given by the driver.
using ClientPeer = core::StrongInt<struct ClientPeerTag, uint64_t>;

struct LongPoll {
  ClientPeer peer;
  uint64_t number = 0;
  core::Instant deadline;
  std::variant<SyncRequest, AwaitSequencedRequest, AwaitNewsRequest, RecordsRequest> request;
  std::set<core::Uin> also = {};  // LongPolls' own

  core::Uin subject() const;  // whose news it waits for
};

class LongPolls {
 public:
  explicit LongPolls(size_t polls_max) : polls_max_(polls_max) {}

  bool full() const { return polls_.size() >= polls_max_; }
  size_t size() const { return polls_.size(); }
  uint64_t Add(LongPoll poll);  // REQUIRES: !full()
  // News of `subject`, too, make it due.
  void AlsoFor(uint64_t id, core::Uin subject);
  // There is news of `subject`: its polls are due.
  void Wake(core::Uin subject);
  // A poll to be tried now: one that was woken, else one whose deadline has come. The pointer is
  // good until Rest or Remove.
  std::optional<std::pair<uint64_t, const LongPoll*>> NextDue(core::Instant now) const;
  void Rest(uint64_t id);  // nothing for it yet
  void Remove(uint64_t id);
  // By whose answer it is. False: there is none such.
  bool Cancel(ClientPeer peer, uint64_t number);
  // Takes out what waits for news of this device; of device 0 there is none.
  std::optional<LongPoll> TakeNewsPoll(core::Uin user, core::DeviceNumber device);
  // When NextDue has something; Instant(), which is past, when it has now.
  std::optional<core::Instant> NextDeadline() const;

 private:
  const size_t polls_max_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, LongPoll> polls_;
  std::set<std::pair<core::Uin, uint64_t>> by_subject_;
  std::set<std::pair<core::Instant, uint64_t>> by_deadline_;
  std::set<uint64_t> woken_;
  std::map<std::pair<ClientPeer, uint64_t>, uint64_t> by_origin_;
  std::map<std::pair<core::Uin, core::DeviceNumber>, uint64_t> by_device_;  // for news
};

}  // namespace homeport::router
