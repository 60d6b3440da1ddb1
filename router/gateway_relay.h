// GatewayRelay: passes requests of many clients on to one region's gateway, as one client of it,
// and the answers back.
//
//   (peer, number) --> upstream number --> gateway --(answer)--> (peer, number)
//
// A request that comes again goes on under the same upstream number, so the gateway drops it as a
// repeat; nothing is sent again from here, that is the client's part. Of what is inside only the
// number is looked at. When the gateway is a new one, whoever waits is told so, and asks again:
// what the old one held is lost. Nothing durable: a relay that is started again knows none, and
// clients ask again.
//
// Invariants:
//  (1) of each (peer, number) at most one upstream number is remembered, and the other way round
//  (2) what is not answered within `forget_after` of its last coming is forgotten
//
// Pure; not thread safe.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/time.h"
#include "router/long_polls.h"
#include "router/token_bucket.h"

namespace homeport::router {

struct RelayOptions {
  size_t requests_max = 200000;
  core::Duration forget_after = std::chrono::minutes(6);  // longer than a gateway holds anything
  uint32_t connection_rate = 0;
};

struct RelayOutput {
  struct Reply {
    ClientPeer peer;
    std::string bytes;
  };
  std::vector<std::string> requests;  // for the gateway
  std::vector<Reply> replies;
};

struct RelayStats {
  uint64_t requests = 0;
  uint64_t answers = 0;
  uint64_t malformed = 0;  // either way
  uint64_t limited = 0;
  uint64_t overloaded = 0;
};

class GatewayRelay {
 public:
  explicit GatewayRelay(RelayOptions options)
      : options_(options), buckets_(options.connection_rate) {}

  void OnRequest(core::Instant now, ClientPeer peer, std::string bytes, RelayOutput* out);
  void OnAnswer(std::string bytes, RelayOutput* out);
  // The connection to the gateway is a new one.
  void Reconnected(RelayOutput* out);
  void Tick(core::Instant now);

  size_t waiting() const { return asked_.size(); }
  const RelayStats& stats() const { return stats_; }

 private:
  using Origin = std::pair<ClientPeer, uint64_t>;
  struct Asked {
    Origin origin;
    core::Instant forget_at;
  };

  using AskedMap = std::unordered_map<uint64_t, Asked>;  // by upstream number; never iterated

  void Forget(AskedMap::iterator at);

  const RelayOptions options_;
  KeyedBuckets buckets_;
  std::map<Origin, uint64_t> numbers_;  // upstream's
  AskedMap asked_;
  std::set<std::pair<core::Instant, uint64_t>> by_age_;  // (forget_at, upstream number)
  uint64_t next_number_ = 1;
  RelayStats stats_;
};

}  // namespace homeport::router
