// What the verbs of `homeport queue` share: names of streams, the replicas of a region, and asking
// them directly, so that everything works while the daemon is down.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/verbs.h"
#include "quorum_queue/queue_endpoint.h"

namespace homeport::cli {

// A stream as people name it, region/shard, as in "sh/3".
struct NamedStream {
  const core::RegionConfig* region = nullptr;
  core::StreamId id;
  std::string name;
};
// kBadRequest says what is wrong with it.
Result<NamedStream> ParseStream(const ClusterConfig& config, std::string_view name);

// The replicas of a region, in the order of the configuration. A slot's group is the group's id.
std::vector<quorum_queue::QueueClient::Endpoint> ReplicasOf(const core::RegionConfig& region);
// "1", "2", "3" of group 1: as replicas are numbered in directories, logs and options.
size_t ReplicaNumber(quorum_queue::ReplicaSlot slot);

// --timeout, or so many seconds.
core::Duration TimeoutOf(const Globals& globals, std::chrono::seconds otherwise);

// Asks every replica of a region the same, again every now and then, until each has answered with
// an `Answer` or the time is up. By slot; one that did not answer is missing.
template <class Answer>
Result<std::map<quorum_queue::ReplicaSlot, Answer>> AskReplicas(
    core::Context& context, const core::RegionConfig& region,
    const quorum_queue::ReplicaRequest& request, core::Duration within);

// ---- the verbs
void AddQueueStatus(CommandLine& line, CLI::App* noun);
void AddQueueInspect(CommandLine& line, CLI::App* noun);
void AddQueueDump(CommandLine& line, CLI::App* noun);
void AddQueueGroup(CommandLine& line, CLI::App* queue);

}  // namespace homeport::cli
