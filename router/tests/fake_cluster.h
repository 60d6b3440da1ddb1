// FakeCluster: three gateways on real sockets over ThreeRegions, on one thread, that can be told to
// misbehave.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/socket.h"
#include "router/client.h"
#include "router/client_peers.h"
#include "router/tests/three_regions.h"

namespace homeport::router {

// What becomes of one request.
enum class Act {
  kServe,
  kDrop,        // lost on the way
  kLoseAnswer,  // carried out, its answer lost
  kGarble,      // served, after bytes that are no answer
  kLie,         // answered by something else
  kMoveToCa,    // sent there, wherever the home is
};

class FakeCluster {
 public:
  using Script = std::function<Act(int region, const RequestBody& request)>;

  // `script` runs on the cluster's thread. `before` may prepare the regions' rows.
  explicit FakeCluster(Script script = nullptr,
                       const std::function<void(ThreeRegions&)>& before = nullptr)
      : script_(std::move(script)) {
    core::ClusterConfig config = ThreeRegionsConfig();
    for (size_t r = 0; r < sockets_.size(); ++r) {
      auto socket = core::RouterSocket::Bind(context_, "tcp://127.0.0.1:0", kRequestBytesMax);
      EXPECT_TRUE(socket.ok()) << socket.status();
      sockets_[r] = std::move(socket).value();
      config.regions[r].gateway = sockets_[r]->endpoint();
      addresses_.push_back({config.regions[r].name, {}, sockets_[r]->endpoint()});
    }
    regions_ = std::make_unique<ThreeRegions>(GatewayOptions{}, config);
    if (before) before(*regions_);
    thread_ = std::thread([this] { Loop(); });
  }
  ~FakeCluster() {
    stop_ = true;
    thread_.join();
  }

  const std::vector<GatewayAddress>& addresses() const { return addresses_; }
  // A client of `region` that knows this gateway only.
  std::unique_ptr<Client> Connect(int region, ClientOptions options = {}) {
    options.gateways = {addresses_[static_cast<size_t>(region)]};
    auto client = Client::Connect(std::move(options));
    EXPECT_TRUE(client.ok()) << client.status();
    return std::move(client).value();
  }
  size_t long_polls() const { return long_polls_; }
  // The messages that were sent, in the order in which a gateway took them.
  std::vector<core::SendMessage> sends() const {
    std::lock_guard lock(mutex_);
    return sends_;
  }

 private:
  void Loop() {
    core::Poller poller;
    for (const auto& socket : sockets_) poller.Add(socket->raw());
    while (!stop_) {
      poller.Wait(5000);
      core::PeerId peer;
      core::Frames frames;
      for (int r = 0; r < 3; ++r) {
        while (sockets_[static_cast<size_t>(r)]->Receive(&peer, &frames)) {
          Take(r, peer, frames.at(0).view());
        }
        GatewayOutput out;
        regions_->gateway(r).Tick(core::SteadyNow(), &out);
        Reply(r, out);
      }
      size_t polls = 0;
      for (int r = 0; r < 3; ++r) polls += regions_->gateway(r).long_polls();
      long_polls_ = polls;
    }
  }

  void Take(int r, const core::PeerId& peer, std::string_view bytes) {
    const DecodedRequest request = DecodeRequest(bytes);
    const Act act = script_ && request.status.ok() ? script_(r, request.body) : Act::kServe;
    if (act == Act::kDrop) return;
    auto& socket = *sockets_[static_cast<size_t>(r)];
    if (act == Act::kGarble) {
      socket.Send(peer, {core::SharedBytes(std::string("garbage!"))});
      socket.Send(peer, {core::SharedBytes(std::string())});
      socket.Send(peer, {core::SharedBytes(std::string(1000, '\xff'))});
      const std::string half = EncodeResponse(*request.number, SentAnswer{}).substr(0, 16);
      socket.Send(peer, {core::SharedBytes(half)});
      socket.Send(peer, {core::SharedBytes(half), core::SharedBytes(half)});
    }
    if (act == Act::kLie) {
      socket.Send(peer, {core::SharedBytes(EncodeResponse(*request.number, MembersAnswer{}))});
      return;
    }
    if (act == Act::kMoveToCa) {
      const core::Status moved = core::Status::Moved(Incarnation(kCa + 1), {}, "ask ca");
      socket.Send(peer, {core::SharedBytes(EncodeResponse(*request.number, moved))});
      return;
    }
    if (const auto* send = std::get_if<core::SendMessage>(&request.body)) {
      std::lock_guard lock(mutex_);
      sends_.push_back(*send);
    }
    Note(request.body);
    GatewayOutput out;
    regions_->gateway(r).Receive(core::SteadyNow(), *ClientPeerOf(peer), bytes, &out);
    const bool changes = !out.commands.empty();
    regions_->Execute(core::SteadyNow(), r, &out);
    if (act == Act::kLoseAnswer) out.replies.clear();
    Reply(r, out);
    if (changes) Spread();
  }
  void Note(const RequestBody& request) {
    if (const auto* sync = std::get_if<SyncRequest>(&request)) users_.insert(sync->user);
    if (const auto* await = std::get_if<AwaitSequencedRequest>(&request)) {
      groups_.insert(await->group);
    }
  }
  // Everything crosses to every region, and who waits for news is told.
  void Spread() {
    regions_->world.Settle();
    replicator::News news;
    news.inboxes.assign(users_.begin(), users_.end());
    for (const Uin group : groups_) news.sequenced.push_back({group, {}, 0});
    for (int r = 0; r < 3; ++r) {
      GatewayOutput out;
      regions_->gateway(r).OnNews(core::SteadyNow(), news, &out);
      Reply(r, out);
    }
  }
  void Reply(int r, const GatewayOutput& out) {
    for (const auto& reply : out.replies) {
      sockets_[static_cast<size_t>(r)]->Send(PeerIdOf(reply.peer),
                                             {core::SharedBytes(reply.bytes)});
    }
  }

  const Script script_;
  core::Context context_;
  std::array<std::unique_ptr<core::RouterSocket>, 3> sockets_;
  std::vector<GatewayAddress> addresses_;
  std::unique_ptr<ThreeRegions> regions_;
  std::set<Uin> users_;
  std::set<Uin> groups_;
  mutable std::mutex mutex_;
  std::vector<core::SendMessage> sends_;
  std::atomic<size_t> long_polls_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace homeport::router
