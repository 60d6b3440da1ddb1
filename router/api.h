// Api: the HTTP and JSON face of a gateway: what is asked becomes a request of wire.h, what is
// answered becomes JSON. docs/gateway.md, docs/openapi.yaml.
//
// Every route is one row of a table (api.cc), and one function that reads its arguments.
//
// Pure; thread safe.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "core/config.h"
#include "core/json.h"
#include "core/status.h"
#include "core/time.h"
#include "router/api_args.h"
#include "router/wire.h"

namespace homeport::router {

inline constexpr uint64_t kApiBodyBytesMax = 512 << 10;
inline constexpr std::string_view kStreamPath = "/v1/stream";

struct ApiRoute {
  std::string_view name;    // on a stream
  std::string_view method;  // "POST"
  std::string_view path;    // "/v1/groups/{group}/join"
  RequestBody (*read)(ApiArgs& args);
};
std::span<const ApiRoute> ApiRoutes();

struct ApiError {
  int http_status = 400;
  core::Status status;
  std::string allow;  // of 405: the methods there are
};
// `target`: path and query as they came, percent-encoded.
std::variant<RequestBody, ApiError> ReadApiRequest(std::string_view method, std::string_view target,
                                                   std::string_view body);
// The same by a route's name and its arguments, an object.
core::Result<RequestBody> ReadApiCall(std::string_view name, nlohmann::json args);

// How long the gateway may hold its answer; 0: it does not.
core::Duration WaitOf(const RequestBody& request);

int HttpStatusOf(core::Code code);
// The body of an answer. nullopt: nothing that a route asks for. REQUIRES: no Status.
std::optional<core::Json> AnswerJson(const core::ClusterConfig& config, const ResponseBody& body);
// RFC 9457. REQUIRES: not ok.
core::Json ProblemJson(const core::ClusterConfig& config, const core::Status& status,
                       int http_status);
// "http://127.0.0.1:7103" of a region, if it has one.
std::optional<std::string> ApiUrl(const core::ClusterConfig& config, core::Incarnation region);

}  // namespace homeport::router
