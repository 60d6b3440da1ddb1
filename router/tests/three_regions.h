// Three regions for tests: their gateways over core's World, without queue, network or time. A
// command is committed and applied before its Done; nothing crosses regions before Settle.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/tests/messaging/world.h"
#include "router/gateway.h"
#include "router/wire.h"

namespace homeport::router {

inline constexpr int kSh = 0;
inline constexpr int kHk = 1;
inline constexpr int kCa = 2;
inline constexpr uint16_t kShards = 4;

inline core::Instant At(int64_t ms) {
  return core::Instant(std::chrono::milliseconds(ms));
}

inline core::ClusterConfig ThreeRegionsConfig() {
  core::ClusterConfig config;
  config.cluster = "feed";
  config.shards = kShards;
  config.data = "/nowhere";
  for (const auto& [name, incarnation] :
       {std::pair{"sh", uint16_t{1}}, std::pair{"hk", uint16_t{2}}, std::pair{"ca", uint16_t{3}}}) {
    core::RegionConfig region;
    region.name = name;
    region.incarnation = core::Incarnation(incarnation);
    region.gateway = std::string("tcp://") + name + ":1";
    config.regions.push_back(region);
  }
  return config;
}

class FakeRegion : public RegionView {
 public:
  bool ready() const override { return not_ready.empty(); }
  replicator::RegionStatus Status() const override {
    ++asked;
    replicator::RegionStatus status;
    for (uint16_t s = 0; s < kShards; ++s) {
      replicator::ShardStatus& shard = status.shards.emplace_back();
      shard.shard = core::ShardId(s);
      shard.ready = std::find(not_ready.begin(), not_ready.end(), shard.shard) == not_ready.end();
      if (!shard.ready) shard.why_not = "waits for replica 2";
    }
    status.streams.push_back({core::StreamId(core::Incarnation(2), core::ShardId(1)),
                              core::Seq(7),
                              core::Seq(9),
                              At(900),
                              core::WallMs(123456),
                              core::Seq(6),
                              {},
                              {}});
    return status;
  }
  router::QueueGroups QueueGroups() const override { return groups; }
  core::Duration SilenceOf(core::Incarnation region, core::Instant) const override {
    return region == silent ? std::chrono::hours(1) : core::Duration(0);
  }
  core::Status AcceptsWrites() const override { return accepts_writes; }
  core::Incarnation silent;
  router::QueueGroups groups;
  core::Status accepts_writes;
  std::vector<core::ShardId> not_ready;
  mutable int asked = 0;
};

class ThreeRegions {
 public:
  explicit ThreeRegions(const GatewayOptions& base = {},
                        core::ClusterConfig config = ThreeRegionsConfig())
      : world(3, kShards) {
    for (int r = 0; r < 3; ++r) {
      GatewayOptions options = base;
      options.config = config;
      options.region = config.regions[static_cast<size_t>(r)].name;
      options.pid = 1000u + static_cast<uint32_t>(r);
      gateways[r] = std::make_unique<Gateway>(options, &world.store(r), &regions[r]);
    }
  }
  Gateway& gateway(int region) { return *gateways[region]; }

  // Executes what the gateway asked for.
  void Execute(core::Instant at, int region, GatewayOutput* out) {
    for (const replicator::Execute& execute : std::exchange(out->commands, {})) {
      const core::CommandResult result = world.Run(region, execute.command);
      gateway(region).OnDone(at, {execute.ticket, result}, out);
    }
    for (const GatewayOutput::Digest& wanted : std::exchange(out->digests, {})) {
      gateway(region).OnDigest(at, wanted.ticket,
                               core::DigestShard(world.store(region), wanted.shard), out);
    }
  }
  // One request from a peer of its own; nullopt when it is held or dropped.
  std::optional<ResponseBody> Ask(int region, const RequestBody& body) {
    const ClientPeer peer(next_peer_++);
    GatewayOutput out;
    gateway(region).Receive(now, peer, EncodeRequest(42, body), &out);
    Execute(now, region, &out);
    if (out.replies.empty()) return std::nullopt;
    EXPECT_EQ(out.replies.size(), 1u);
    EXPECT_EQ(out.replies[0].peer, peer);
    auto response = DecodeResponse(out.replies[0].bytes);
    EXPECT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->number, 42u);
    return response->body;
  }
  // The answer, which must be of this kind.
  template <class Answer>
  Answer Get(int region, const RequestBody& body) {
    const auto answer = Ask(region, body);
    EXPECT_TRUE(answer.has_value()) << "no answer";
    if (!answer) return {};
    const auto* expected = std::get_if<Answer>(&*answer);
    EXPECT_NE(expected, nullptr) << "answer " << answer->index() << ": " << ErrorText(*answer);
    return expected != nullptr ? *expected : Answer{};
  }
  static std::string ErrorText(const ResponseBody& body) {
    const auto* status = std::get_if<core::Status>(&body);
    return status != nullptr ? status->ToString() : "no error";
  }

  core::World world;
  std::array<FakeRegion, 3> regions;
  std::array<std::unique_ptr<Gateway>, 3> gateways;
  core::Instant now = At(1000);

 private:
  uint64_t next_peer_ = 1;
};

}  // namespace homeport::router
