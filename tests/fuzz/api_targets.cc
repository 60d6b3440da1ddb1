// What HTTP clients say: requests as method, target and body; messages on a stream.
#include "core/check.h"
#include "router/api.h"
#include "router/stream_session.h"
#include "tests/fuzz/target.h"

namespace homeport::fuzz {
namespace {

using namespace router;  // NOLINT: every request

std::string_view TakeLine(std::string_view* bytes) {
  const size_t end = bytes->find('\n');
  const std::string_view line = bytes->substr(0, end);
  bytes->remove_prefix(end == std::string_view::npos ? bytes->size() : end + 1);
  return line;
}

void CheckEncodes(const RequestBody& request) {
  const std::string bytes = EncodeRequest(1, request);
  const DecodedRequest again = DecodeRequest(bytes);
  CHECK(again.status.ok(), "what the API reads the gateway reads", again.status);
  CHECK(EncodeRequest(1, again.body) == bytes, "a request comes back as it was");
}

// "POST /v1/send", LF, body.
void RunRequest(std::string_view bytes) {
  const std::string_view line = TakeLine(&bytes);
  const size_t blank = std::min(line.find(' '), line.size());
  const auto read =
      ReadApiRequest(line.substr(0, blank), line.substr(std::min(blank + 1, line.size())), bytes);
  if (const auto* request = std::get_if<RequestBody>(&read)) return CheckEncodes(*request);
  const auto& error = std::get<ApiError>(read);
  const core::ClusterConfig config;
  CHECK(ProblemJson(config, error.status, error.http_status)["status"] == error.http_status,
        "what is refused is told");
}

// A message in each line; every second request is answered.
void RunStream(std::string_view bytes) {
  core::ClusterConfig config;
  config.api_rate = 50;
  StreamSession session({.unanswered_max = 3, .output_bytes_max = 20000}, &config);
  core::Instant now(std::chrono::seconds(1));
  SyncResult page;
  page.snapshot = "next";
  page.messages.resize(1);
  const std::vector<ResponseBody> answers = {page,
                                             NewsAnswer{true, false},
                                             NewsAnswer{false, false},
                                             core::Status::Overloaded(5, "later"),
                                             core::Status::BadRequest("no"),
                                             DigestAnswer{}};
  uint64_t count = 0;
  while (!bytes.empty()) {
    StreamOutput out;
    session.OnText(now, TakeLine(&bytes), &out);
    for (size_t i = 0; i < out.asks.size() && i < 100; ++i) {
      CheckEncodes(out.asks[i].request);
      if (++count % 2 != 0) continue;
      const uint64_t token = out.asks[i].token;
      session.OnAnswer(now, token, answers[count / 2 % answers.size()], &out);
    }
    for (const std::string& text : out.sends) {
      CHECK(!nlohmann::json::parse(text, nullptr, false).is_discarded(), "what is told is JSON");
      if (count % 3 == 0) session.OnWritten(text.size());
    }
    now += std::chrono::milliseconds(700);
    StreamOutput later;
    session.Tick(now, &later);
  }
  StreamOutput out;
  session.OnClosed(&out);
}

std::vector<std::string> RequestSeeds() {
  return {
      "GET /v1/hello\n",
      "POST /v1/send\n{\"from\": \"1\", \"client_message_id\": \"2\", \"to\": \"3\", \"text\": "
      "\"x\"}",
      "POST "
      "/v1/send\n{\"from\":\"1\",\"client_message_id\":\"2\",\"group\":\"3\",\"base64\":\"/w==\"}",
      "POST /v1/sync\n{\"user\": \"1\", \"device\": 2, \"snapshot\": \"t\", \"wait_ms\": 9}",
      "GET /v1/groups/12/members?after=3&limit=4\n",
      "GET /v1/names/user/a%20b%ff\n",
      "POST /v1/users/1/devices\n{\"install\": \"2\", \"name\": \"x\"}",
      "DELETE /v1/users/1/devices/2\n",
      "POST /v1/groups/1/join\n{\"user\": \"2\"}",
      "PUT /\n[[[[\"\\\"\"]]]]"};
}

std::vector<std::string> StreamSeeds() {
  return {"{\"id\": 1, \"hello\": {}}\n{\"id\": \"x\", \"show\": {\"uin\": \"7\"}}\n",
          "{\"subscribe\": {\"user\": \"7\", \"device\": 1, \"snapshot\": \"t\"}}\n"
          "{\"id\": 2, \"sync\": {\"user\": \"7\", \"device\": 1}}\n{}\n7\n{\"id\": []}\n"};
}

}  // namespace

std::vector<FuzzTarget> ApiTargets() {
  return {{"api_request", RunRequest, RequestSeeds}, {"api_stream", RunStream, StreamSeeds}};
}

}  // namespace homeport::fuzz
