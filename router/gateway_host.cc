#include "router/gateway_host.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <utility>

#include "core/clock.h"
#include "core/files.h"
#include "core/http.h"
#include "core/log.h"
#include "core/reconnects.h"
#include "router/client_peers.h"
#include "router/gateway_relay.h"
#include "router/http_front.h"
#include "router/renumber.h"
#include "router/sealed_identity.h"
#include "router/wire.h"

namespace homeport::router {

using core::Duration;
using core::Instant;
using core::Result;
using core::Status;
using core::SteadyNow;

namespace {

constexpr int kTakenPerTurn = 1000;
constexpr std::chrono::microseconds kStopLookedAtEvery = std::chrono::milliseconds(50);
constexpr Duration kLookEvery = std::chrono::seconds(1);
constexpr Duration kSilentMax = std::chrono::seconds(5);
constexpr int kRepliesQueuedMax =
    1024;  // told to us by halves: 512 always fit  // for one client that does not read
constexpr uint64_t kOwnNumber = 0;  // of no client's request

class GatewayHostImpl final : public GatewayHost {
 public:
  explicit GatewayHostImpl(GatewayHostOptions options)
      : options_(std::move(options)),
        relay_({.connection_rate = options_.config.connection_rate}) {}

  Status Connect(core::Context& context) {
    const std::string& upstream = options_.config.FindRegion(options_.region)->gateway;
    const auto key = core::SnapshotKey::FromSecret(options_.config.secret);
    ASSIGN_OR_RETURN(clients_, core::RouterSocket::Bind(context, options_.endpoint,
                                                        kRequestBytesMax, kRepliesQueuedMax));
    ASSIGN_OR_RETURN(upstream_, core::DealerSocket::Connect(
                                    context, upstream, kResponseBytesMax, core::WhenDown::kQueue,
                                    NewSealedId(key, SealedRole::kFront, core::RandomBits())));
    poller_.Add(clients_->raw());
    poller_.Add(upstream_->raw());
    reconnects_ = core::Reconnects::Watch(context, *upstream_);
    poller_.Add(reconnects_->raw());
    HttpFrontOptions front;
    front.config = options_.config;
    front.region = options_.region;
    front.address = options_.api;
    front.gateway = upstream;
    front.registry = registry_;
    ASSIGN_OR_RETURN(front_, HttpFront::Start(context, std::move(front)));
    ASSIGN_OR_RETURN(http_, core::HttpServer::Start(
                                options_.http, registry_, [] { return core::Health{}; },
                                [this] { return Ready(); }));
    core::LogInfo("gateway_started", {{"region", options_.region},
                                      {"gateway", endpoint()},
                                      {"api", api()},
                                      {"http", http()},
                                      {"upstream", upstream}});
    return {};
  }

  void Run(const std::atomic<bool>& stop) override {
    while (!stop) {
      poller_.Wait(kStopLookedAtEvery.count());
      const Instant now = SteadyNow();
      Turn(now);
      if (now >= next_look_) Look(now);
    }
  }
  const std::string& endpoint() const override { return clients_->endpoint(); }
  const std::string& api() const override { return front_->address(); }
  const std::string& http() const override { return http_->address(); }

 private:
  void Turn(Instant now) {
    core::PeerId id;
    core::Frames frames;
    for (int i = 0; i < kTakenPerTurn && clients_->Receive(&id, &frames); ++i) {
      const auto peer = ClientPeerOf(id);
      const bool sane = peer && frames.size() == 1;
      relay_.OnRequest(now, peer.value_or(ClientPeer()),
                       sane ? std::string(frames[0].view()) : std::string(), &output_);
    }
    for (int i = 0; i < kTakenPerTurn && upstream_->Receive(&frames); ++i) {
      heard_ = now.time_since_epoch().count();
      std::string bytes(frames.size() == 1 ? frames[0].view() : "");
      if (NumberOf(bytes) != kOwnNumber) relay_.OnAnswer(std::move(bytes), &output_);
    }
    if (reconnects_->Take()) relay_.Reconnected(&output_);
    // What cannot be sent is asked for again by the client.
    for (std::string& bytes : output_.requests) {
      upstream_->Send({core::SharedBytes(std::move(bytes))});
    }
    for (RelayOutput::Reply& reply : output_.replies) {
      clients_->Send(PeerIdOf(reply.peer), {core::SharedBytes(std::move(reply.bytes))});
    }
    output_ = {};
  }
  void Look(Instant now) {
    next_look_ = now + kLookEvery;
    relay_.Tick(now);
    upstream_->Send({core::SharedBytes(EncodeRequest(kOwnNumber, HelloRequest{}))});
    const RelayStats& stats = relay_.stats();
    RaiseTo("requests_total", "Requests passed on, or refused.", stats.requests);
    RaiseTo("answers_total", "Answers passed back.", stats.answers);
    RaiseTo("malformed_total", "Messages dropped: they have no number.", stats.malformed);
    RaiseTo("limited_total", "Requests refused: faster than is allowed.", stats.limited);
    RaiseTo("overloaded_total", "Requests refused: too many are under way.", stats.overloaded);
    RaiseTo("dropped_total", "Messages that could not be sent.",
            clients_->dropped() + upstream_->dropped());
    prometheus::BuildGauge()
        .Name("homeport_relay_waiting")
        .Help("Requests without an answer yet.")
        .Register(*registry_)
        .Add({{"region", options_.region}})
        .Set(static_cast<double>(relay_.waiting()));
  }
  void RaiseTo(const std::string& name, const std::string& help, uint64_t total) {
    prometheus::Counter& counter = prometheus::BuildCounter()
                                       .Name("homeport_relay_" + name)
                                       .Help(help)
                                       .Register(*registry_)
                                       .Add({{"region", options_.region}});
    counter.Increment(static_cast<double>(total) - counter.Value());
  }
  // From the HTTP server's threads.
  core::Health Ready() const {
    const int64_t heard = heard_;
    if (heard != 0 && SteadyNow().time_since_epoch() - Duration(heard) < kSilentMax) return {};
    return {false, fmt::format("the gateway of region {} does not answer", options_.region)};
  }

  const GatewayHostOptions options_;
  const std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  GatewayRelay relay_;
  RelayOutput output_;
  std::unique_ptr<core::RouterSocket> clients_;
  std::unique_ptr<core::DealerSocket> upstream_;
  std::unique_ptr<core::Reconnects> reconnects_;
  core::Poller poller_;
  std::atomic<int64_t> heard_ = 0;
  Instant next_look_;
  std::unique_ptr<HttpFront> front_;
  std::unique_ptr<core::HttpServer> http_;  // last: its threads ask the above
};

}  // namespace

Result<std::unique_ptr<GatewayHost>> GatewayHost::Open(core::Context& context,
                                                       GatewayHostOptions options) {
  if (options.config.FindRegion(options.region) == nullptr) {
    return Status::BadRequest(
        fmt::format("{} has no region {}", options.config.file, options.region));
  }
  auto host = std::make_unique<GatewayHostImpl>(std::move(options));
  RETURN_IF_ERROR(host->Connect(context));
  return std::unique_ptr<GatewayHost>(std::move(host));
}

}  // namespace homeport::router
