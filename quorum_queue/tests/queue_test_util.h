// What the tests of the queue's messages and machines share.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "quorum_queue/codec.h"
#include "quorum_queue/messages.h"

namespace homeport::quorum_queue {

inline const StreamId kTestStream(core::Incarnation(1), core::ShardId(2));

inline EntryRun MakeRun(uint64_t first, uint64_t epoch, const std::vector<std::string>& payloads) {
  EntryRun run;
  run.first = Seq(first);
  run.epoch = WriterEpoch(epoch);
  std::string body;
  for (const std::string& payload : payloads) {
    run.sizes.push_back(static_cast<uint32_t>(payload.size()));
    body += payload;
  }
  run.checksum = BodyChecksum(body);
  run.body = SharedBytes(std::move(body));
  return run;
}

// `count` entries, each with its seq and epoch as payload.
inline EntryRun MakeRun(uint64_t first, uint64_t epoch, uint64_t count) {
  std::vector<std::string> payloads;
  for (uint64_t i = 0; i < count; ++i) {
    payloads.push_back(std::to_string(first + i) + "/" + std::to_string(epoch));
  }
  return MakeRun(first, epoch, payloads);
}

// {{epoch, start}, ...}
inline Chain MakeChain(const std::vector<std::pair<uint64_t, uint64_t>>& links) {
  Chain chain;
  for (const auto& [epoch, start] : links) chain.push_back({WriterEpoch(epoch), Seq(start)});
  return chain;
}

}  // namespace homeport::quorum_queue
