#include "coordination/embedded_client.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>
#include <utility>

#include "coordination/call_queue.h"
#include "coordination/codec.h"
#include "core/log.h"
#include "core/version.h"

namespace homeport::coordination {
namespace {

using core::Duration;
using core::Instant;
using core::Status;
using core::SteadyNow;

constexpr Duration kSendAgainAfter = std::chrono::milliseconds(20);
constexpr Duration kReadAgainAfter = std::chrono::seconds(1);

class EmbeddedClient final : public QueuedClient {
 public:
  EmbeddedClient(std::string cluster, std::string endpoint,
                 std::unique_ptr<core::DealerSocket> socket)
      : cluster_(std::move(cluster)), endpoint_(std::move(endpoint)), socket_(std::move(socket)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~EmbeddedClient() override {
    stop_ = true;
    queue_.WakeStore();
    thread_.join();
  }

 private:
  struct Pending {
    Call call;
    bool sent = false;
    Instant send_at;
  };

  void Run() {
    core::Poller poller;
    poller.Add(socket_->raw());
    poller.AddFd(queue_.store_fd());
    while (!stop_) {
      for (Call& call : queue_.TakeCalls()) {
        const uint64_t number = call.number;
        pending_[number] = {std::move(call), false, Instant()};
      }
      Receive();
      const Duration wait = Look(SteadyNow());
      poller.Wait(std::chrono::duration_cast<std::chrono::microseconds>(wait).count());
    }
  }

  // Sends what is due, ends what is over. How long there is nothing to do.
  Duration Look(Instant now) {
    Duration wait = std::chrono::seconds(1);
    for (auto it = pending_.begin(); it != pending_.end();) {
      auto& [number, pending] = *it;
      if (pending.call.until <= now) {
        queue_.PutAnswer(number, NoAnswer(pending.sent && IsWrite(pending.call.request)));
        it = pending_.erase(it);
        continue;
      }
      const auto may_send = [&] { return !pending.sent || IsRepeatable(pending.call.request); };
      if (may_send() && pending.send_at <= now) Send(now, number, &pending);
      Instant next = pending.call.until;
      if (may_send()) next = std::min(next, pending.send_at);
      wait = std::min(wait, next - now);
      ++it;
    }
    return std::max(wait, Duration(0));
  }

  void Send(Instant now, uint64_t number, Pending* pending) {
    const bool sent = socket_->Send(
        {core::SharedBytes(EncodeRequest({number, cluster_, pending->call.request}))});
    pending->sent = pending->sent || sent;
    pending->send_at = now + (sent ? kReadAgainAfter : kSendAgainAfter);
  }

  void Receive() {
    core::Frames frames;
    while (socket_->Receive(&frames)) {
      auto answer = frames.size() == 1 ? DecodeAnswer(frames[0].view())
                                       : core::Result<NumberedAnswer>(Status::BadRequest("frames"));
      if (!answer.ok()) {
        core::LogWarn("coordination_answer_malformed", {{"why", answer.status().message()}});
        continue;
      }
      const auto pending = pending_.find(answer->number);
      if (pending == pending_.end()) continue;  // late, or a second one
      if (!IsAnswerTo(pending->second.call.request, answer->answer)) {
        core::LogWarn("coordination_answer_malformed",
                      {{"why", "it is of another kind than what was asked"}});
        continue;
      }
      pending_.erase(pending);
      if (auto* status = std::get_if<StoreStatus>(&answer->answer)) {
        status->members = {{"coordinator", endpoint_, true, true, std::string(core::kVersion)}};
      }
      queue_.PutAnswer(answer->number, std::move(answer->answer));
    }
  }

  const std::string cluster_;
  const std::string endpoint_;
  const std::unique_ptr<core::DealerSocket> socket_;
  std::map<uint64_t, Pending> pending_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace

core::Result<std::unique_ptr<CoordinationClient>> OpenEmbedded(core::Context& context,
                                                               const std::string& cluster,
                                                               const std::string& endpoint) {
  ASSIGN_OR_RETURN(auto socket, core::DealerSocket::Connect(context, endpoint, kFrameBytesMax,
                                                            core::WhenDown::kDrop));
  return std::unique_ptr<CoordinationClient>(
      std::make_unique<EmbeddedClient>(cluster, endpoint, std::move(socket)));
}

}  // namespace homeport::coordination
