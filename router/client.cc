#include "router/client.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "core/files.h"
#include "router/client_impl.h"
#include "router/sealed_identity.h"

namespace homeport::router {

using core::Duration;
using core::Instant;
using core::SteadyNow;

namespace {

// Sent to a region that says nothing; past that nothing more is queued for it.
constexpr uint64_t kUnheardBytesMax = 64 << 20;
// Messages taken from one socket before the others have their turn.
constexpr int kReceivedPerTurn = 1024;
// Waits are many and long; what one misses when its gateway dies, it asks for then.
constexpr Duration kNewsAgainAfter = std::chrono::seconds(30);
constexpr Duration kHelloAgainAfter = std::chrono::milliseconds(500);
// What the preferred gateway is given at most before the others are asked too.
constexpr Duration kPreferredAloneMax = std::chrono::seconds(2);
constexpr size_t kRegionsMax = 1024;

// For Poller, which takes a negative time as for ever.
int64_t Microseconds(Duration duration) {
  return std::max<int64_t>(0, std::chrono::ceil<std::chrono::microseconds>(duration).count());
}

// Answer to one of the hellos sent on `socket`, if it is there.
std::optional<HelloAnswer> ReceiveHello(core::DealerSocket& socket) {
  core::Frames frames;
  while (socket.Receive(&frames)) {
    if (frames.size() != 1) continue;
    Result<Response> response = DecodeResponse(frames[0].view());
    if (!response.ok()) continue;
    if (auto* hello = std::get_if<HelloAnswer>(&response->body)) return std::move(*hello);
  }
  return std::nullopt;
}

Status CheckHello(const HelloAnswer& hello, const GatewayAddress& from) {
  const auto is_itself = [&](const GatewayAddress& region) {
    return region.region == hello.region && region.incarnation == hello.incarnation;
  };
  if (hello.shards == 0 || hello.regions.size() > kRegionsMax ||
      std::count_if(hello.regions.begin(), hello.regions.end(), is_itself) != 1) {
    return Status::BadRequest(
        fmt::format("the gateway at {} does not describe a cluster it belongs to", from.endpoint));
  }
  if (!from.region.empty() && from.region != hello.region) {
    return Status::BadRequest(fmt::format("the gateway at {} is of region {}, not of {}",
                                          from.endpoint, hello.region, from.region));
  }
  return {};
}

// The regions a gateway told of, itself first, reached where it was reached.
std::vector<GatewayAddress> RegionsOf(const HelloAnswer& hello, const std::string& endpoint) {
  std::vector<GatewayAddress> regions;
  regions.push_back({hello.region, hello.incarnation, endpoint});
  for (const GatewayAddress& region : hello.regions) {
    if (region.incarnation != hello.incarnation) regions.push_back(region);
  }
  return regions;
}

Status NoGateway(const ClientOptions& options) {
  std::string asked;
  for (const GatewayAddress& gateway : options.gateways) {
    asked += (asked.empty() ? "" : ", ") + gateway.endpoint;
  }
  return Status::Unavailable(fmt::format(
      "no gateway answered within {} ms (asked: {}); is the cluster running?",
      std::chrono::duration_cast<std::chrono::milliseconds>(options.timeout).count(), asked));
}

Result<std::unique_ptr<core::DealerSocket>> ConnectLink(core::Context& context,
                                                        const ClientOptions& options,
                                                        const std::string& endpoint) {
  core::PeerId identity;
  if (!options.operator_secret.empty()) {
    identity = NewSealedId(core::SnapshotKey::FromSecret(options.operator_secret),
                           SealedRole::kOperator, core::RandomBits());
  }
  return core::DealerSocket::Connect(context, endpoint, kResponseBytesMax, core::WhenDown::kQueue,
                                     identity);
}

// Says hello to the gateways given, the preferred one first; whoever answers first is taken.
Result<ClientImpl::Connected> SayHello(const ClientOptions& options,
                                       const std::vector<GatewayAddress>& gateways) {
  ClientImpl::Connected connected;
  connected.context = std::make_unique<core::Context>();
  const Instant start = SteadyNow();
  const Instant others_at = start + std::min(kPreferredAloneMax, options.timeout / 3);
  std::vector<std::unique_ptr<core::DealerSocket>> sockets;
  core::Poller poller;
  Instant next_hello = start;
  for (uint64_t number = 1; SteadyNow() < start + options.timeout;) {
    const bool alone = SteadyNow() < others_at;
    while (sockets.size() < (alone ? 1 : gateways.size())) {
      ASSIGN_OR_RETURN(auto socket,
                       ConnectLink(*connected.context, options, gateways[sockets.size()].endpoint));
      poller.Add(socket->raw());
      sockets.push_back(std::move(socket));
      next_hello = SteadyNow();
    }
    if (SteadyNow() >= next_hello) {
      for (const auto& socket : sockets) {
        socket->Send({core::SharedBytes(EncodeRequest(number++, HelloRequest{}))});
      }
      next_hello = SteadyNow() + kHelloAgainAfter;
    }
    poller.Wait(Microseconds(std::min(next_hello, alone ? others_at : start + options.timeout) -
                             SteadyNow()));
    for (size_t i = 0; i < sockets.size(); ++i) {
      auto hello = ReceiveHello(*sockets[i]);
      if (!hello) continue;
      RETURN_IF_ERROR(CheckHello(*hello, gateways[i]));
      connected.regions = RegionsOf(*hello, gateways[i].endpoint);
      connected.links[hello->incarnation].socket = std::move(sockets[i]);
      connected.hello = std::move(*hello);
      return connected;
    }
  }
  return NoGateway(options);
}

}  // namespace

Result<std::unique_ptr<Client>> Client::Connect(ClientOptions options) {
  if (options.gateways.empty()) {
    return Status::BadRequest("no gateway given: say where a region's gateway listens");
  }
  std::vector<GatewayAddress> gateways = options.gateways;
  const auto preferred =
      std::find_if(gateways.begin(), gateways.end(), [&](const GatewayAddress& gateway) {
        return options.region.empty() || gateway.region == options.region;
      });
  if (preferred == gateways.end()) {
    return Status::BadRequest(
        fmt::format("no gateway of region {} is among those given", options.region));
  }
  std::rotate(gateways.begin(), preferred, preferred + 1);
  ASSIGN_OR_RETURN(ClientImpl::Connected connected, SayHello(options, gateways));
  for (const GatewayAddress& region : connected.regions) {
    ClientImpl::Link& link = connected.links[region.incarnation];
    if (link.socket != nullptr) continue;
    ASSIGN_OR_RETURN(link.socket, ConnectLink(*connected.context, options, region.endpoint));
  }
  return std::unique_ptr<Client>(
      std::make_unique<ClientImpl>(std::move(options), std::move(connected)));
}

ClientImpl::ClientImpl(ClientOptions options, Connected connected)
    : options_(std::move(options)),
      context_(std::move(connected.context)),
      regions_(std::move(connected.regions)),
      shards_(connected.hello.shards),
      links_(std::move(connected.links)),
      calls_({.homes_from_ids = options_.homes_from_ids, .seed = core::RandomBits()}, regions_),
      next_client_message_(core::RandomBits()) {
  for (auto& [incarnation, link] : links_) {
    link.reconnects = core::Reconnects::Watch(*context_, *link.socket);
    poller_.Add(link.socket->raw());
    poller_.Add(link.reconnects->raw());
  }
}

bool ClientImpl::SendFrame(Incarnation region, std::string bytes) {
  Link& link = links_.at(region);
  if (link.bytes_unheard + bytes.size() > kUnheardBytesMax) return false;
  const size_t size = bytes.size();
  if (!link.socket->Send({core::SharedBytes(std::move(bytes))})) return false;
  link.bytes_unheard += size;
  return true;
}

void ClientImpl::ReceiveAll() {
  core::Frames frames;
  for (auto& [incarnation, link] : links_) {
    if (link.reconnects->Take()) calls_.Reconnected(SteadyNow(), incarnation, &output_);
    for (int i = 0; i < kReceivedPerTurn && link.socket->Receive(&frames); ++i) {
      link.bytes_unheard = 0;
      // A gateway answers in one frame; anything else is as malformed as no bytes at all.
      calls_.Receive(SteadyNow(), incarnation, frames.size() == 1 ? frames[0].view() : "",
                     &output_);
    }
  }
}

// Returns how many calls finished.
size_t ClientImpl::CarryOut() {
  // Callbacks may start calls: what they ask to send is carried out too.
  size_t finished = 0;
  while (!output_.sends.empty() || !output_.finished.empty() || !output_.redirects.empty()) {
    CallsOutput output = std::exchange(output_, {});
    for (CallsOutput::Send& send : output.sends) {
      if (!SendFrame(send.region, std::move(send.bytes))) {
        calls_.SendRefused(SteadyNow(), send.number);
      }
    }
    for (const CallsOutput::Redirect& redirect : output.redirects) {
      if (options_.on_moved) {
        options_.on_moved(FindRegion(redirect.from)->region, FindRegion(redirect.to)->region,
                          redirect.subject);
      }
    }
    for (CallsOutput::Finished& call : output.finished) {
      ++finished;
      if (awaited_ == call.call) {
        awaited_answer_ = std::move(call.answer);
        continue;
      }
      const auto at = callbacks_.find(call.call);
      if (at == callbacks_.end()) continue;
      const auto callback = std::move(at->second);
      callbacks_.erase(at);
      callback(call.answer);
    }
  }
  return finished;
}

size_t ClientImpl::Turn(Duration wait) {
  size_t finished = CarryOut();
  const Instant now = SteadyNow();
  if (const auto next = calls_.NextDeadline()) wait = std::min(wait, *next - now);
  poller_.Wait(finished > 0 ? 0 : Microseconds(wait));
  ReceiveAll();
  calls_.Tick(SteadyNow(), &output_);
  return finished + CarryOut();
}

Result<ResponseBody> ClientImpl::AskAny(const Route& route, RequestBody body, Instant deadline) {
  CHECK(!awaited_, "a callback calls nothing that blocks");
  awaited_ = calls_.Start(SteadyNow(), route, std::move(body), deadline, &output_);
  while (!awaited_answer_) Turn(std::chrono::seconds(1));
  awaited_.reset();
  Result<ResponseBody> answer = std::move(*awaited_answer_);
  awaited_answer_.reset();
  return answer;
}

void ClientImpl::SendAsync(Uin from, ClientMessageId id, Uin to, bool to_group,
                           std::string_view body, SentCallback callback) {
  const CallId call = calls_.Start(
      SteadyNow(), {.kind = Route::Kind::kHome, .region = {}, .subject = from, .hold_until = {}},
      core::SendMessage{from, id, to, to_group, std::string(body)}, Deadline(), &output_);
  callbacks_.emplace(call, [callback = std::move(callback)](const Result<ResponseBody>& answer) {
    const Result<SentAnswer> sent = Expected<SentAnswer>(answer);
    callback(sent.ok() ? Result<MessageId>(sent->message) : sent.status());
  });
}

void ClientImpl::ChangeAsync(const core::ChangeCommand& command, ChangedCallback callback) {
  const CallId call = calls_.Start(SteadyNow(),
                                   {.kind = Route::Kind::kHome,
                                    .region = {},
                                    .subject = core::SubjectOf(command),
                                    .hold_until = {}},
                                   command, Deadline(), &output_);
  callbacks_.emplace(call, [callback = std::move(callback)](const Result<ResponseBody>& answer) {
    const Result<ChangedAnswer> changed = Expected<ChangedAnswer>(answer);
    callback(changed.ok() ? Result<bool>(changed->changed) : changed.status());
  });
}

void ClientImpl::AwaitNews(Uin user, core::DeviceNumber device, const std::string& snapshot,
                           Duration wait, NewsCallback callback,
                           std::vector<RecordsPlace> records) {
  const Instant until = SteadyNow() + wait;
  const CallId call = calls_.Start(SteadyNow(),
                                   {.kind = Route::Kind::kHome,
                                    .region = {},
                                    .subject = user,
                                    .hold_until = until,
                                    .resend_after = kNewsAgainAfter},
                                   AwaitNewsRequest{user, device, snapshot, 0, std::move(records)},
                                   until + options_.timeout, &output_);
  callbacks_.emplace(call, [callback = std::move(callback)](const Result<ResponseBody>& answer) {
    callback(Expected<NewsAnswer>(answer));
  });
}

void ClientImpl::Poll(Duration wait) {
  const Instant end = SteadyNow() + wait;
  while (Turn(end - SteadyNow()) == 0 && SteadyNow() < end) {
  }
}

}  // namespace homeport::router
