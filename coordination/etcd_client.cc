#include "coordination/etcd_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "coordination/call_queue.h"
#include "coordination/etcd_json.h"
#include "coordination/http_transfers.h"
#include "coordination/settler.h"
#include "core/check.h"
#include "core/format.h"

namespace homeport::coordination {
namespace {

using core::Duration;
using core::Instant;
using core::Status;
using core::SteadyNow;

// An endpoint that has not answered by then is passed over, for what may be asked twice; and for a
// watch that it has not begun.
constexpr Duration kAnotherAfter = std::chrono::seconds(2);

class EtcdClient final : public QueuedClient {
 public:
  EtcdClient(const std::string& cluster, std::vector<std::string> endpoints)
      : json_(cluster), endpoints_(std::move(endpoints)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~EtcdClient() override {
    stop_ = true;
    queue_.WakeStore();
    thread_.join();
  }

 private:
  struct Pending {
    Call call;
    HttpTransfers::Id transfer = 0;  // 0: waits until `again_at`
    size_t endpoint = 0;             // where it is under way
    Instant begun_at;                // since when
    Instant again_at;
    Duration pause{0};
    size_t failures = 0;
    bool perhaps_sent = false;
    // Of a watch.
    Instant idle_at;
    bool watches = false;  // etcd has begun it
    // Of an AskStatus: calls to each endpoint, then of rows and of leases.
    StoreStatus status;
    size_t step = 0;
  };

  void Run() {
    HttpTransfers transfers;
    while (!stop_) {
      for (Call& call : queue_.TakeCalls()) Add(std::move(call));
      const Duration wait = Look(transfers, SteadyNow());
      transfers.Wait(queue_.store_fd(), wait);
      ReadWatches(transfers);
      for (auto& [id, end] : transfers.TakeEnded()) OnEnd(id, std::move(end));
    }
  }

  void Add(Call call) {
    Pending pending;
    pending.idle_at = call.until;
    if (const auto* watch = std::get_if<Watch>(&call.request)) {
      pending.idle_at = SteadyNow() + watch->wait;
    }
    pending.status.kind = "etcd";
    const uint64_t number = call.number;
    pending.call = std::move(call);
    pending_[number] = std::move(pending);
  }

  // Begins and ends what is due. How long there is nothing to do.
  Duration Look(HttpTransfers& transfers, Instant now) {
    Instant next = now + std::chrono::seconds(1);
    std::vector<uint64_t> over;
    for (auto& [number, pending] : pending_) {
      if (pending.call.until <= now || (pending.watches && pending.idle_at <= now)) {
        over.push_back(number);
        continue;
      }
      if (const auto end = EndOfPatience(pending); end && *end <= now) {
        transfers.Drop(std::exchange(pending.transfer, 0));
        AnotherTime(&pending);
      }
      if (pending.transfer == 0 && pending.again_at <= now) BeginCall(transfers, now, &pending);
      next = std::min(next, pending.call.until);
      if (pending.watches) next = std::min(next, pending.idle_at);
      if (pending.transfer == 0) next = std::min(next, pending.again_at);
      if (const auto end = EndOfPatience(pending)) next = std::min(next, *end);
    }
    for (const uint64_t number : over) {
      Pending& pending = pending_[number];
      const bool unanswered = pending.transfer != 0 && !pending.watches;
      if (unanswered) Pass(pending);
      transfers.Drop(pending.transfer);
      const auto* watch = std::get_if<Watch>(&pending.call.request);
      if (watch != nullptr && pending.watches) {
        Finish(number, Changes{{}, watch->from});
      } else {
        const bool perhaps = pending.perhaps_sent || unanswered;
        Finish(number, NoAnswer(perhaps && IsWrite(pending.call.request)));
      }
    }
    return std::max(next - now, Duration(std::chrono::milliseconds(1)));
  }
  // When its endpoint is passed over. What is no watch has a transfer that ends by itself.
  static std::optional<Instant> EndOfPatience(const Pending& pending) {
    const bool is_watch = std::holds_alternative<Watch>(pending.call.request);
    if (!is_watch || pending.transfer == 0 || pending.watches) return std::nullopt;
    return pending.begun_at + kAnotherAfter;
  }

  void BeginCall(HttpTransfers& transfers, Instant now, Pending* pending) {
    Duration timeout = pending->call.until - now;
    const Request& request = pending->call.request;
    EtcdCall call;
    pending->endpoint = current_;
    if (std::holds_alternative<AskStatus>(request)) {
      // Each endpoint is asked for itself.
      if (pending->step < endpoints_.size()) pending->endpoint = pending->step;
      call = pending->step < endpoints_.size()    ? EtcdJson::MemberCall()
             : pending->step == endpoints_.size() ? json_.CountCall()
                                                  : EtcdJson::LeasesCall();
    } else {
      call = json_.Encode(request);
    }
    const bool is_watch = std::holds_alternative<Watch>(request);
    const bool may_repeat = IsRepeatable(request);
    if (may_repeat && !is_watch) timeout = std::min(timeout, kAnotherAfter);
    pending->watches = false;
    pending->begun_at = now;
    pending->transfer =
        transfers.Begin(endpoints_[pending->endpoint] + call.path, std::move(call.body), timeout,
                        may_repeat ? HttpRepeat::kMay : HttpRepeat::kMustNot);
  }

  void OnEnd(HttpTransfers::Id id, HttpEnd end) {
    const auto it = std::find_if(pending_.begin(), pending_.end(),
                                 [&](const auto& one) { return one.second.transfer == id; });
    if (it == pending_.end()) return;
    auto& [number, pending] = *it;
    pending.transfer = 0;
    const Request& request = pending.call.request;
    if (std::holds_alternative<AskStatus>(request)) return OnStatus(number, &pending, end);
    if (const auto* watch = std::get_if<Watch>(&request)) {
      if (end.too_long) return Finish(number, TooMuchAtOnce(*watch));
      // It goes on until it is dropped: it broke off.
      if (end.code == 0 || end.code == 200) return AnotherTime(&pending);
    }
    if (end.code != 0) return OnAnswer(number, &pending, json_.Decode(request, end.code, end.body));
    pending.perhaps_sent = pending.perhaps_sent || end.sent;
    if (end.sent && !IsRepeatable(request)) {
      Pass(pending);
      return Finish(number, NoAnswer(true));
    }
    AnotherTime(&pending);
  }

  // What is not for now is asked elsewhere, if it may be.
  void OnAnswer(uint64_t number, Pending* pending, Answer answer) {
    const auto* status = std::get_if<Status>(&answer);
    if (status != nullptr && core::IsNotNow(status->code())) {
      if (IsUnknown(*status)) pending->perhaps_sent = true;
      if (IsRepeatable(pending->call.request)) return AnotherTime(pending);
      Pass(*pending);
    }
    Finish(number, std::move(answer));
  }

  void OnStatus(uint64_t number, Pending* pending, const HttpEnd& end) {
    const size_t members = endpoints_.size();
    const std::string_view body = end.code == 200 ? std::string_view(end.body) : "";
    if (pending->step < members) {
      (void)EtcdJson::DecodeMember(endpoints_[pending->step], body, &pending->status);
    } else {
      const bool good = pending->step == members ? EtcdJson::DecodeCount(body, &pending->status)
                                                 : EtcdJson::DecodeLeases(body, &pending->status);
      if (!good) return AnotherTime(pending);
    }
    if (++pending->step == members + 2) Finish(number, std::move(pending->status));
  }

  // Asked again it would be as long. A list comes in pages.
  static Status TooMuchAtOnce(const Watch& watch) {
    return Status::Trimmed(
        core::Seq(watch.from.value() + 1),
        fmt::format("more has changed since revision {} than one answer may hold: list again",
                    watch.from));
  }

  // At the next endpoint; after a pause, once all have failed.
  void AnotherTime(Pending* pending) {
    Pass(*pending);
    pending->watches = false;
    pending->again_at = Instant();
    if (++pending->failures % endpoints_.size() != 0) return;
    pending->pause = NextPause(pending->pause);
    pending->again_at = SteadyNow() + pending->pause;
  }
  // Others that failed there have not chosen the next one yet.
  void Pass(const Pending& pending) {
    if (pending.endpoint == current_) current_ = (current_ + 1) % endpoints_.size();
  }

  void ReadWatches(HttpTransfers& transfers) {
    std::vector<std::pair<uint64_t, Answer>> told;
    for (auto& [number, pending] : pending_) {
      if (pending.transfer == 0 || !std::holds_alternative<Watch>(pending.call.request)) continue;
      for (const std::string& line : transfers.TakeLines(pending.transfer)) {
        auto answer = json_.DecodeLine(line);
        if (!answer) {
          pending.watches = true;
          continue;
        }
        transfers.Drop(pending.transfer);
        pending.transfer = 0;
        told.emplace_back(number, std::move(*answer));
        break;
      }
    }
    for (auto& [number, answer] : told) OnAnswer(number, &pending_[number], std::move(answer));
  }

  void Finish(uint64_t number, Answer answer) {
    pending_.erase(number);
    queue_.PutAnswer(number, std::move(answer));
  }

  const EtcdJson json_;
  const std::vector<std::string> endpoints_;
  size_t current_ = 0;  // which of them answers, as far as is known
  std::map<uint64_t, Pending> pending_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace

core::Result<std::unique_ptr<CoordinationClient>> OpenEtcd(const std::string& cluster,
                                                           std::vector<std::string> endpoints) {
  if (endpoints.empty()) return Status::BadRequest("an etcd has at least one endpoint");
  for (const std::string& endpoint : endpoints) {
    if (endpoint.starts_with("http://") || endpoint.starts_with("https://")) continue;
    return Status::BadRequest("an etcd's endpoint is like http://127.0.0.1:2379, not " + endpoint);
  }
  return std::unique_ptr<CoordinationClient>(
      std::make_unique<EtcdClient>(cluster, std::move(endpoints)));
}

}  // namespace homeport::coordination
