#include "cli/queue.h"

#include <fmt/format.h>

#include <charconv>

#include "core/clock.h"

namespace homeport::cli {

using quorum_queue::QueueClient;
using quorum_queue::ReplicaAnswer;
using quorum_queue::ReplicaSlot;

namespace {

// A message to a replica that is still being connected to is lost.
constexpr core::Duration kAskAgainAfter = std::chrono::milliseconds(250);

}  // namespace

Result<NamedStream> ParseStream(const ClusterConfig& config, std::string_view name) {
  const size_t slash = name.find('/');
  const std::string region(name.substr(0, slash));
  const std::string_view number =
      slash == std::string_view::npos ? std::string_view() : name.substr(slash + 1);
  uint16_t shard = 0;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), shard);
  if (number.empty() || parsed.ec != std::errc() || parsed.ptr != number.data() + number.size()) {
    return Status::BadRequest(
        fmt::format("'{}' is no stream: expected region/shard, as in {}/0", name,
                    config.regions.empty() ? "sh" : config.regions.front().name));
  }
  RETURN_IF_ERROR(CheckRegion(config, region));
  if (shard >= config.shards) {
    return Status::BadRequest(
        fmt::format("there is no shard {}; there are 0 to {}", shard, config.shards - 1));
  }
  NamedStream stream;
  stream.region = config.FindRegion(region);
  stream.id = core::StreamId(stream.region->incarnation, core::ShardId(shard));
  stream.name = fmt::format("{}/{}", region, shard);
  return stream;
}

std::vector<QueueClient::Endpoint> ReplicasOf(const core::RegionConfig& region) {
  std::vector<QueueClient::Endpoint> endpoints;
  for (size_t i = 0; i < region.replicas.size(); ++i) {
    endpoints.push_back({ReplicaSlot{region.replicas[i].group, static_cast<uint8_t>(i % 3)},
                         region.replicas[i].endpoint});
  }
  return endpoints;
}

size_t ReplicaNumber(ReplicaSlot slot) {
  return size_t{quorum_queue::NumberOf(quorum_queue::GroupId(slot.group), slot.slot)} + 1;
}

core::Duration TimeoutOf(const Globals& globals, std::chrono::seconds otherwise) {
  if (globals.timeout_s <= 0) return otherwise;
  return std::chrono::duration_cast<core::Duration>(
      std::chrono::duration<double>(globals.timeout_s));
}

template <class Answer>
Result<std::map<ReplicaSlot, Answer>> AskReplicas(core::Context& context,
                                                  const core::RegionConfig& region,
                                                  const quorum_queue::ReplicaRequest& request,
                                                  core::Duration within) {
  const auto endpoints = ReplicasOf(region);
  ASSIGN_OR_RETURN(const auto client,
                   QueueClient::Connect(context, endpoints, core::WhenDown::kQueue));
  core::Poller poller;
  client->AddTo(&poller);
  std::map<ReplicaSlot, Answer> answers;
  const core::Instant end = core::SteadyNow() + within;
  core::Instant ask_at{};
  while (answers.size() < endpoints.size() && core::SteadyNow() < end) {
    if (core::SteadyNow() >= ask_at) {
      ask_at = core::SteadyNow() + kAskAgainAfter;
      for (const auto& endpoint : endpoints) {
        if (!answers.contains(endpoint.slot)) client->Send(endpoint.slot, request);
      }
    }
    ReplicaSlot from;
    ReplicaAnswer answer;
    while (client->Receive(&from, &answer)) {
      if (auto* wanted = std::get_if<Answer>(&answer)) answers[from] = std::move(*wanted);
    }
    if (answers.size() < endpoints.size()) poller.Wait(20000);
  }
  return answers;
}
template Result<std::map<ReplicaSlot, quorum_queue::StatusAnswer>>
AskReplicas<quorum_queue::StatusAnswer>(core::Context&, const core::RegionConfig&,
                                        const quorum_queue::ReplicaRequest&, core::Duration);

void AddQueue(CommandLine& line) {
  CLI::App* noun = line.AddNoun("queue", "The queue's replicas, streams and entries");
  AddQueueStatus(line, noun);
  AddQueueInspect(line, noun);
  AddQueueDump(line, noun);
  AddQueueVerify(line, noun);
  AddQueueGroup(line, noun);
}

}  // namespace homeport::cli
