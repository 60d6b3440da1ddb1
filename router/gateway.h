// Gateway: answers clients of one region. Checks each request, sends clients of users homed elsewhere home (MOVED),
// hands commands to the Region, reads applied state, holds long polls.
//
// Pure: no sockets or clock. Feed it requests as bytes and the Region's Done and News; send what it gives out.
//
// Not thread safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/store.h"
#include "core/time.h"
#include "replicator/region.h"

namespace homeport::router {

// A client's connection, given by the driver.
using ClientPeer = core::StrongInt<struct ClientPeerTag, uint64_t>;

struct GatewayOptions {
  core::ClusterConfig config;
  std::string region;
  uint32_t pid = 0;
  size_t long_polls_max = 100000;
  core::Duration long_poll_max = std::chrono::seconds(30);
};

struct GatewayOutput {
  struct Reply {
    ClientPeer peer;
    std::string bytes;  // a wire::Response
  };
  std::vector<Reply> replies;
  std::vector<replicator::Execute> commands;  // for the Region
};

struct GatewayStats {
  uint64_t requests = 0;
  uint64_t malformed = 0;
  uint64_t moved = 0;
  std::vector<uint64_t> errors_by_code;  // index: Code
};

class Gateway {
 public:
  // `store` and `region` outlive it and are only read.
  Gateway(GatewayOptions options, const core::StoreView* store, const replicator::Region* region);
  ~Gateway();

  void Receive(core::Instant now, ClientPeer peer, std::string_view bytes, GatewayOutput* out);
  void OnDone(core::Instant now, const replicator::Done& done, GatewayOutput* out);
  void OnNews(core::Instant now, const replicator::News& news, GatewayOutput* out);
  void Tick(core::Instant now, GatewayOutput* out);
  std::optional<core::Instant> NextDeadline() const;
  const GatewayStats& stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The region that is home of a name's partition. Fixed at creation for now: by the order of incarnations.
core::Incarnation NamePartitionHome(std::string_view name, const core::ClusterConfig& config);

}  // namespace homeport::router
