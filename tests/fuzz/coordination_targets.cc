// The coordination store's messages, and what its server keeps on disk.
#include "coordination/codec.h"
#include "coordination/etcd_json.h"
#include "core/check.h"
#include "tests/fuzz/target.h"

namespace homeport::fuzz {

using namespace coordination;  // NOLINT: every message

namespace {

void RunRequest(std::string_view bytes) {
  (void)NumberOf(bytes);
  const auto request = DecodeRequest(bytes);
  if (!request.ok()) return;
  const std::string encoded = EncodeRequest(*request);
  const auto again = DecodeRequest(encoded);
  CHECK(again.ok(), "what we encode we decode", again.status());
  CHECK(EncodeRequest(*again) == encoded, "a request comes back as it was");
}

void RunAnswer(std::string_view bytes) {
  const auto answer = DecodeAnswer(bytes);
  if (!answer.ok()) return;
  const std::string encoded = EncodeAnswer(*answer);
  const auto again = DecodeAnswer(encoded);
  CHECK(again.ok(), "what we encode we decode", again.status());
  CHECK(EncodeAnswer(*again) == encoded, "an answer comes back as it was");
}

void RunStored(std::string_view bytes) {
  (void)DecodeTtl(bytes);
  if (const auto head = DecodeHead(bytes); head.ok()) {
    CHECK(DecodeHead(EncodeHead(*head)).ok(), "what we encode we decode");
  }
  const auto change = DecodeChange(bytes);
  if (!change.ok()) return;
  const auto again = DecodeChange(EncodeChange(*change));
  CHECK(again.ok() && *again == *change, "a change comes back as it was");
}

// The kind of request is the first byte, the HTTP code 200 or not the second.
void RunEtcd(std::string_view bytes) {
  static const EtcdJson json("c");
  if (bytes.size() < 2) return;
  static const std::vector<Request> requests = {
      Get{"k"}, CompareAndSet{Token(5), {{"a", Revision(3), Write{"x", LeaseId(4)}}}},
      GrantLease{std::chrono::seconds(10)}, KeepAlive{LeaseId(3)}, EndLease{LeaseId(3)}};
  const Request& request = requests[static_cast<uint8_t>(bytes[0]) % requests.size()];
  const int http = bytes[1] == 'y' ? 200 : 503;
  bytes.remove_prefix(2);
  const Answer answer = json.Decode(request, http, bytes);
  (void)json.DecodeLine(bytes);
  StoreStatus status;
  (void)EtcdJson::DecodeMember("e", bytes, &status);
  (void)EtcdJson::DecodeLeases(bytes, &status);
  (void)EtcdJson::DecodeCount(bytes, &status);
  // Rows that it takes are rows as any.
  if (std::holds_alternative<Rows>(answer)) {
    CHECK(DecodeAnswer(EncodeAnswer({1, answer})).ok(), "a row of etcd is a row");
  }
}

const Row kRow = {"regions/sh", "value", Revision(7), Token(8), LeaseId(9)};

std::vector<std::string> RequestSeeds() {
  std::vector<std::string> seeds;
  for (const Request& request : std::vector<Request>{
           Get{"k"}, List{"p/", "p/a"},
           CompareAndSet{Token(5),
                         {{"a", Revision(3), Write{"x", LeaseId(4)}},
                          {"b", Revision(3), Write{}},
                          {"c", Revision(0), std::nullopt}}},
           GrantLease{std::chrono::seconds(10)}, KeepAlive{LeaseId(3)}, EndLease{LeaseId(3)},
           Watch{"w", Revision(5), std::chrono::milliseconds(900)}, AskStatus{}}) {
    seeds.push_back(EncodeRequest({77, "c0ffee", request}));
  }
  return seeds;
}

std::vector<std::string> AnswerSeeds() {
  std::vector<std::string> seeds;
  for (const Answer& answer : std::vector<Answer>{
           core::Status::Trimmed(core::Seq(5), "gone"), Rows{Revision(7), {kRow}, true},
           Compared{false, Revision(9), {kRow}}, Leased{LeaseId(3), std::chrono::seconds(4)},
           LeaseEnded{}, Changes{{{kRow, false}, {kRow, true}}, Revision(10)},
           StoreStatus{"embedded", Revision(3), 4, 5, {{"a", "tcp://x:1", true, false, "1"}}}}) {
    seeds.push_back(EncodeAnswer({78, answer}));
  }
  return seeds;
}

std::vector<std::string> StoredSeeds() {
  return {EncodeHead({"c0ffee", Revision(9), LeaseId(3)}), EncodeChange({kRow, false}),
          EncodeTtl(std::chrono::seconds(10))};
}

std::vector<std::string> EtcdSeeds() {
  const std::string header =
      R"("header":{"cluster_id":"1","member_id":"2","revision":"7","raft_term":"2"})";
  const std::string row =
      R"({"key":"aG9tZXBvcnQvYy9h","mod_revision":"5","value":"AQIDBAUGBwh2","lease":"9"})";
  return {std::string("\0y{", 3) + header + R"(,"kvs":[)" + row + R"(],"count":"1","more":true})",
          "\1y{" + header + R"(,"responses":[{"response_range":{"kvs":[)" + row + "]}}]}",
          "\2y{" + header + R"(,"ID":"7","TTL":"5"})",
          "\3y{\"result\":{" + header + R"(,"ID":"7","TTL":"5"}})",
          "\4n{\"error\":\"x\",\"message\":\"etcdserver: requested lease not found\",\"code\":5}",
          "\4y{\"result\":{" + header + R"(,"events":[{"type":"DELETE","kv":)" + row + "}]}}"};
}

}  // namespace

std::vector<FuzzTarget> CoordinationTargets() {
  return {{"coordination_request", RunRequest, RequestSeeds},
          {"coordination_answer", RunAnswer, AnswerSeeds},
          {"coordination_stored", RunStored, StoredSeeds},
          {"etcd_answer", RunEtcd, EtcdSeeds}};
}

}  // namespace homeport::fuzz
