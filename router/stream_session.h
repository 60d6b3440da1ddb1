// StreamSession: one WebSocket: requests by name, and news of one user's device. docs/gateway.md.
//
//   none --subscribe--> waiting --(news)--> told --(sync answered whole, here)--> waiting
//                        |  ^                \--subscribe-----------------------> waiting
//                        |  +--(no news)-- |
//                        +--(not now)--> resting --(later)--> waiting
//                        +--(MOVED, replaced, refused)--> none, and the client is told
//
// Invariants:
//  (1) at most one request for news is under way, and none after `told`
//  (2) what waits to be written and what waits to be answered are bounded
//  (3) after Close nothing more comes
//
// Pure: no socket or clock. Not thread safe.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/json.h"
#include "core/time.h"
#include "router/token_bucket.h"
#include "router/wire.h"

namespace homeport::router {

struct StreamOptions {
  size_t unanswered_max = 16;
  size_t output_bytes_max = 4 << 20;
  core::Duration news_wait = std::chrono::minutes(2);
  core::Duration rest = std::chrono::seconds(1);
};

struct StreamOutput {
  struct Ask {
    uint64_t token = 0;  // given back with the answer
    RequestBody request;
  };
  struct Close {
    uint16_t code = 0;  // of RFC 6455
    std::string reason;
  };
  std::vector<std::string> sends;
  std::vector<Ask> asks;
  std::vector<uint64_t> cancels;  // tokens: their answers are not wanted any more
  std::optional<Close> close;
};

class StreamSession {
 public:
  // `config` outlives it.
  StreamSession(StreamOptions options, const core::ClusterConfig* config);

  void OnText(core::Instant now, std::string_view text, StreamOutput* out);
  void OnAnswer(core::Instant now, uint64_t token, const ResponseBody& body, StreamOutput* out);
  // So many bytes of `sends` are with the system.
  void OnWritten(size_t bytes);
  void Tick(core::Instant now, StreamOutput* out);
  // The connection is gone: what it waited for is given back.
  void OnClosed(StreamOutput* out);
  std::optional<core::Instant> NextDeadline() const;

  uint64_t limited() const { return limited_; }

 private:
  enum class State : uint8_t { kNone, kWaiting, kResting, kTold };
  struct Pending {
    nlohmann::json id;
    std::string name;
    std::optional<SyncRequest> sync;  // without its limits
    std::optional<RecordsRequest> records = {};
  };

  void Subscribe(core::Instant now, const nlohmann::json& id, nlohmann::json args,
                 StreamOutput* out);
  void Unsubscribe(StreamOutput* out);
  void Await(StreamOutput* out);
  void OnNewsAnswer(core::Instant now, const ResponseBody& body, StreamOutput* out);
  void OnSynced(const SyncRequest& asked, const SyncResult& page, StreamOutput* out);
  void OnRecords(const RecordsRequest& asked, const core::RecordsPage& page, StreamOutput* out);
  // The client has got some of what it was told of: waits on once it has got it all.
  void Got(bool moved_on, StreamOutput* out);
  void Send(const core::Json& json, StreamOutput* out);
  void SendError(const nlohmann::json& id, const core::Status& status, StreamOutput* out);
  core::Json Subject() const;

  const StreamOptions options_;
  const core::ClusterConfig* config_;
  TokenBucket bucket_;
  std::map<uint64_t, Pending> pending_;
  State state_ = State::kNone;
  core::Uin user_;
  core::DeviceNumber device_;
  std::string snapshot_;
  std::vector<RecordsPlace> records_;
  // While kTold: of what.
  bool told_news_ = false;
  std::set<std::string> told_tables_;
  nlohmann::json subscribe_id_;
  uint64_t news_token_ = 0;  // while kWaiting
  core::Instant rest_until_;
  uint64_t next_token_ = 1;
  size_t output_bytes_ = 0;
  uint64_t limited_ = 0;
  bool closed_ = false;
};

}  // namespace homeport::router
