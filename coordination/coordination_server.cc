#include "coordination/coordination_server.h"

#include <fmt/format.h>
#include <prometheus/gauge.h>

#include <algorithm>
#include <utility>

#include "coordination/codec.h"
#include "coordination/store_machine.h"
#include "core/clock.h"
#include "core/files.h"
#include "core/log.h"
#include "core/rocks_store.h"

namespace homeport::coordination {
namespace {

using core::Duration;
using core::Instant;
using core::Result;
using core::Status;
using core::SteadyNow;

// What one turn takes, and gives (MachineOptions): all of it is in memory until it is written.
constexpr int kTakenPerTurn = 1000;
constexpr uint64_t kTakenBytesPerTurn = 8 << 20;
// Answers that wait for one client to read them; the next are dropped, and asked for again.
constexpr int kAnswersQueuedMax = 64;
constexpr uint64_t kMemtableBytes = 8 << 20;
constexpr Duration kShowEvery = std::chrono::seconds(1);
constexpr Duration kStopLookedAtEvery = std::chrono::milliseconds(50);

Result<std::unique_ptr<core::RocksStore>> OpenStore(const std::string& dir) {
  return core::RocksStore::Open(dir + "/store", kMemtableBytes, core::DurableAt::kWrite);
}

class CoordinationServerImpl final : public CoordinationServer {
 public:
  CoordinationServerImpl(CoordinationServerOptions options,
                         std::unique_ptr<core::DirectoryLock> lock,
                         std::unique_ptr<core::RocksStore> store,
                         std::unique_ptr<StoreMachine> machine,
                         std::unique_ptr<core::RouterSocket> socket)
      : options_(std::move(options)),
        lock_(std::move(lock)),
        store_(std::move(store)),
        machine_(std::move(machine)),
        socket_(std::move(socket)) {}

  Status Run(const std::atomic<bool>& stop) override {
    core::Poller poller;
    poller.Add(socket_->raw());
    while (!stop) {
      Duration wait = kStopLookedAtEvery;
      if (const auto next = machine_->NextDeadline()) wait = std::min(wait, *next - SteadyNow());
      wait = std::max(wait, Duration(0));
      poller.Wait(std::chrono::duration_cast<std::chrono::microseconds>(wait).count());
      RETURN_IF_ERROR(Turn());
      if (SteadyNow() < show_at_) continue;
      show_at_ = SteadyNow() + kShowEvery;
      Show();
    }
    return {};
  }
  const std::string& endpoint() const override { return socket_->endpoint(); }

 private:
  void Show() const {
    if (options_.registry == nullptr) return;
    const auto set = [&](const std::string& name, const std::string& help, uint64_t value) {
      prometheus::BuildGauge()
          .Name("homeport_coordination_" + name)
          .Help(help)
          .Register(*options_.registry)
          .Add({})
          .Set(static_cast<double>(value));
    };
    const StoreStatus status = machine_->Describe();
    set("revision", "Raised by one with every change.", status.revision.value());
    set("rows", "Rows that there are.", status.rows);
    set("leases", "Leases that have not ended.", status.leases);
    set("waiting_watches", "Callers that wait for a change.", machine_->waiting());
  }

  Status Turn() {
    // What has arrived comes first: a lease is not over that its holder has just kept.
    StoreMachine::Output output;
    core::PeerId peer;
    core::Frames frames;
    uint64_t bytes = 0;
    for (int i = 0; i < kTakenPerTurn && bytes < kTakenBytesPerTurn &&
                    output.reply_bytes < MachineOptions().reply_bytes_per_output &&
                    socket_->Receive(&peer, &frames);
         ++i) {
      for (const core::SharedBytes& frame : frames) bytes += frame.view().size();
      OnMessage(peer, frames.size() == 1 ? frames[0].view() : std::string_view(), &output);
    }
    machine_->Tick(SteadyNow(), &output);
    RETURN_IF_ERROR(store_->Write(output.batch));
    for (StoreMachine::Reply& reply : output.replies) {
      socket_->Send(reply.to.peer,
                    {core::SharedBytes(EncodeAnswer({reply.to.number, std::move(reply.answer)}))});
    }
    return {};
  }

  void OnMessage(const core::PeerId& peer, std::string_view bytes, StoreMachine::Output* output) {
    const auto request = DecodeRequest(bytes);
    if (!request.ok()) {
      if (const uint64_t number = NumberOf(bytes); number != 0) {
        output->replies.push_back({{peer, number}, request.status()});
      }
      return;
    }
    if (request->cluster != options_.cluster) {
      output->replies.push_back(
          {{peer, request->number},
           Status::BadRequest(fmt::format("this is the coordination store of cluster {}, not of {}",
                                          options_.cluster, request->cluster))});
      return;
    }
    machine_->Step(SteadyNow(), {peer, request->number}, request->request, output);
  }

  const CoordinationServerOptions options_;
  const std::unique_ptr<core::DirectoryLock> lock_;
  const std::unique_ptr<core::RocksStore> store_;
  const std::unique_ptr<StoreMachine> machine_;
  const std::unique_ptr<core::RouterSocket> socket_;
  Instant show_at_;
};

}  // namespace

Status FormatCoordination(const std::string& dir, const std::string& cluster) {
  if (core::Exists(dir)) {
    ASSIGN_OR_RETURN(const auto names, core::ListDirectory(dir));
    if (!names.empty()) {
      return Status::BadRequest(
          fmt::format("{} is not empty (it has {}): a new coordination store needs a new directory",
                      dir, names[0]));
    }
  }
  RETURN_IF_ERROR(core::MakeDirectories(dir + "/store"));
  ASSIGN_OR_RETURN(const auto store, OpenStore(dir));
  RETURN_IF_ERROR(store->Write(StoreMachine::Format(cluster, LeaseId(core::RandomBits() >> 2))));
  return core::SyncDirectory(dir);
}

Result<std::unique_ptr<CoordinationServer>> CoordinationServer::Open(
    core::Context& context, const CoordinationServerOptions& options) {
  if (!core::Exists(options.dir + "/store")) {
    return Status::Unavailable(fmt::format(
        "there is no coordination store in {}: is the disk mounted? Only for a cluster that never "
        "had one: --new",
        options.dir));
  }
  ASSIGN_OR_RETURN(auto lock, core::DirectoryLock::Take(options.dir));
  ASSIGN_OR_RETURN(auto store, OpenStore(options.dir));
  MachineOptions machine_options;
  machine_options.cluster = options.cluster;
  auto machine = StoreMachine::Open(std::move(machine_options), *store, SteadyNow());
  if (!machine.ok()) {
    return Status(machine.status().code(),
                  fmt::format("{}: {}", options.dir, machine.status().message()));
  }
  ASSIGN_OR_RETURN(auto socket, core::RouterSocket::Bind(context, options.endpoint,
                                                         kRequestFrameBytesMax, kAnswersQueuedMax));
  core::LogInfo("coordinator_started",
                {{"dir", options.dir},
                 {"endpoint", socket->endpoint()},
                 {"revision", std::to_string((*machine)->revision().value())}});
  return std::unique_ptr<CoordinationServer>(std::make_unique<CoordinationServerImpl>(
      options, std::move(lock), std::move(store), std::move(machine).value(), std::move(socket)));
}

}  // namespace homeport::coordination
