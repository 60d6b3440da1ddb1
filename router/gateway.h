// Gateway: answers clients of one region. Checks each request, sends clients of users homed
// elsewhere home (MOVED), hands commands to the Region, reads applied state, holds long polls.
//
//   request --> malformed: BAD_REQUEST, or dropped and counted when not even its number can be read
//           --> a command: served here? accepted? ready? --> Execute --(Done)--> answer
//           --> about who is moving here: held until served, or its deadline, then as the others
//           --> sync, awaitSequenced, awaitNews: answered, or held until News or its deadline
//           --> a digest, which reads a whole shard: computed aside --(OnDigest)--> answer
//           --> everything else: answered at once from the region's own copy
//
// Invariants:
//  (1) a request is answered once; a repeated one (same peer and number) that waits still is
//      dropped, and so is a repeated read whose answer is on its way: a connection loses nothing
//  (2) whether "there is none" is answered for what is homed here only when its shard is ready
//  (3) of each device at most one request for news is held
//
// Pure: no sockets or clock. Feed it requests as bytes and the Region's Done and News; send what it
// gives out. Not thread safe. Design sections 4, 8 and 9.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/config.h"
#include "core/store.h"
#include "core/time.h"
#include "quorum_queue/regrouper.h"
#include "replicator/region.h"
#include "router/directory.h"
#include "router/long_polls.h"
#include "router/views.h"

namespace homeport::router {

struct GatewayOptions {
  core::ClusterConfig config;
  std::string region;
  uint32_t pid = 0;
  size_t long_polls_max = 100000;
  size_t devices_remembered_max = 200000;  // of which it was told lately what they have
  core::Duration long_poll_max = std::chrono::seconds(30);
  core::Duration news_poll_max = std::chrono::minutes(5);  // idle clients come again that often
  // For who is moving here: in all, and how long one waits.
  size_t arrivals_max = 20000;
  size_t arrivals_of_peer_max = 2000;  // of one connection, unless it is a front's
  core::Duration arrival_hold = std::chrono::seconds(2);
  size_t polls_per_turn_max = 1024;  // long polls looked at in one call
  size_t answered_max = 8192;        // reads whose repeats are recognized
  size_t digests_max = 64;           // computed and waiting
  // A user is moved only into a region whose gateway was heard of so lately.
  core::Duration silence_max = std::chrono::seconds(5);
  // How old what is known of operators' orders may be.
  core::Duration states_age_max = std::chrono::milliseconds(100);
  // While a shard is not ready, how old what is known about it may be.
  core::Duration status_age_max = std::chrono::milliseconds(100);
};

// What the gateway asks of its Region.
class RegionView {
 public:
  virtual ~RegionView() = default;
  virtual bool ready() const = 0;  // all shards; cheap
  virtual replicator::RegionStatus Status() const = 0;
  virtual router::QueueGroups QueueGroups() const = 0;
  // Since when nothing was heard of the gateway of another region.
  virtual core::Duration SilenceOf(core::Incarnation region, core::Instant now) const = 0;
  // kUnavailable: not now, and why. As of the moment that it is asked.
  virtual core::Status AcceptsWrites() const { return {}; }
};

struct GatewayOutput {
  struct Reply {
    ClientPeer peer;
    uint64_t number = 0;
    std::string bytes;  // a wire::Response
  };
  std::vector<Reply> replies;
  struct Digest {
    replicator::Ticket ticket;
    core::ShardId shard;
  };
  std::vector<replicator::Execute> commands;  // for the Region
  std::vector<Digest> digests;                // to be computed beside the Region
  // For the queue's keeper.
  std::vector<std::variant<quorum_queue::AddGroupOrder, quorum_queue::DrainGroupOrder>> orders;
  std::vector<core::Duration> command_latencies;  // of commands that were answered, arrival to Done
};

struct GatewayStats {
  uint64_t requests = 0;
  uint64_t request_bytes = 0;
  uint64_t reply_bytes = 0;
  uint64_t malformed = 0;
  uint64_t moved = 0;
  uint64_t limited = 0;   // faster than is allowed
  uint64_t followed = 0;  // users sent to where they write from
  uint64_t repeated = 0;  // dropped, because the first waits for its answer or has had it
  std::vector<uint64_t> errors_by_code;  // index: Code
};

class Gateway {
 public:
  // `store` and `region` outlive it and are only read. REQUIRES: options.region is in
  // options.config.
  Gateway(GatewayOptions options, const core::StoreView* store, const RegionView* region);
  ~Gateway();

  void Receive(core::Instant now, ClientPeer peer, std::string_view bytes, GatewayOutput* out);
  // The transport could not take a reply: the same request is answered anew when it comes again.
  void ReplyRefused(ClientPeer peer, uint64_t number);
  void OnDone(core::Instant now, const replicator::Done& done, GatewayOutput* out);
  void OnDigest(core::Instant now, replicator::Ticket ticket, std::vector<core::TableDigest> tables,
                GatewayOutput* out);
  void OnOrderDone(core::Instant now, const quorum_queue::OrderDone& done, GatewayOutput* out);
  void OnNews(core::Instant now, const replicator::News& news, GatewayOutput* out);
  void Tick(core::Instant now, GatewayOutput* out);
  std::optional<core::Instant> NextDeadline() const;

  const GatewayStats& stats() const;
  size_t commands_waiting() const;
  size_t long_polls() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace homeport::router
