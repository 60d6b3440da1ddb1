#include "router/stream_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "router/api.h"

namespace homeport::router {

using core::Code;
using core::Instant;
using core::Json;
using core::Status;
using Object = nlohmann::json;

namespace {

constexpr size_t kIdBytesMax = 64;
constexpr uint16_t kPolicyViolation = 1008;

bool IsId(const Object& id) {
  const auto* text = id.get_ptr<const std::string*>();
  return id.is_null() || id.is_number_integer() || (text != nullptr && text->size() <= kIdBytesMax);
}

}  // namespace

StreamSession::StreamSession(StreamOptions options, const core::ClusterConfig* config)
    : options_(options), config_(config), bucket_(config->api_rate) {}

void StreamSession::Send(const Json& json, StreamOutput* out) {
  std::string text = core::ToText(json);
  output_bytes_ += text.size();
  if (output_bytes_ > options_.output_bytes_max) {
    out->close = {kPolicyViolation, "slow reader"};
    return OnClosed(out);
  }
  out->sends.push_back(std::move(text));
}

void StreamSession::SendError(const Object& id, const Status& status, StreamOutput* out) {
  Json json;
  if (!id.is_null()) json["id"] = id;
  json["error"] = ProblemJson(*config_, status, HttpStatusOf(status.code()));
  Send(json, out);
}

Json StreamSession::Subject() const {
  return {{"user", std::to_string(user_.value())}, {"device", device_.value()}};
}

void StreamSession::OnWritten(size_t bytes) {
  output_bytes_ -= std::min(bytes, output_bytes_);
}

// ---- what the client says

void StreamSession::OnText(Instant now, std::string_view text, StreamOutput* out) {
  if (closed_) return;
  auto object = ParseApiObject(text);
  if (!object.ok()) return SendError(nullptr, object.status(), out);
  Object id;
  if (const auto at = object->find("id"); at != object->end()) {
    id = *at;
    object->erase(at);
  }
  if (!IsId(id)) {
    return SendError(nullptr,
                     Status::BadRequest("id is neither an integer nor a string of up to 64 bytes"),
                     out);
  }
  if (const auto wait = bucket_.Take(now)) {
    ++limited_;
    return SendError(id, TooFast(*wait, "this connection"), out);
  }
  if (object->size() != 1) {
    return SendError(id, Status::BadRequest("one request at a time: an id, a name, its arguments"),
                     out);
  }
  const std::string name = object->begin().key();
  Object args = std::move(object->begin().value());
  if (name == "subscribe") return Subscribe(now, id, std::move(args), out);
  auto request = ReadApiCall(name, std::move(args));
  if (!request.ok()) return SendError(id, request.status(), out);
  if (pending_.size() >= options_.unanswered_max) {
    return SendError(id,
                     Status::Overloaded(0, fmt::format("{} requests wait on this connection: take "
                                                       "an answer before the next",
                                                       options_.unanswered_max)),
                     out);
  }
  Pending pending{std::move(id), name, {}};
  if (const auto* sync = std::get_if<SyncRequest>(&*request)) pending.sync = *sync;
  if (const auto* records = std::get_if<RecordsRequest>(&*request)) pending.records = *records;
  const uint64_t token = next_token_++;
  pending_.emplace(token, std::move(pending));
  out->asks.push_back({token, std::move(*request)});
}

void StreamSession::Subscribe(Instant, const Object& id, Object args, StreamOutput* out) {
  if (!args.is_object()) {
    return SendError(id, Status::BadRequest("subscribe is no JSON object"), out);
  }
  ApiArgs reader(std::move(args));
  const core::Uin user(reader.TakeId("user"));
  const core::DeviceNumber device = reader.TakeDevice();
  std::string snapshot = reader.TakeText("snapshot", "");
  std::vector<RecordsPlace> records = reader.TakeRecordsPlaces();
  if (Status refused = reader.Finish(); !refused.ok()) return SendError(id, refused, out);
  Unsubscribe(out);
  user_ = user;
  device_ = device;
  snapshot_ = std::move(snapshot);
  records_ = std::move(records);
  subscribe_id_ = id;
  Await(out);
}

void StreamSession::Unsubscribe(StreamOutput* out) {
  if (state_ == State::kWaiting) out->cancels.push_back(news_token_);
  state_ = State::kNone;
}

void StreamSession::Await(StreamOutput* out) {
  state_ = State::kWaiting;
  news_token_ = next_token_++;
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(options_.news_wait);
  out->asks.push_back(
      {news_token_,
       AwaitNewsRequest{user_, device_, snapshot_, static_cast<uint32_t>(wait.count()), records_}});
}

// ---- what the gateway answers

void StreamSession::OnAnswer(Instant now, uint64_t token, const ResponseBody& body,
                             StreamOutput* out) {
  if (closed_) return;
  if (state_ == State::kWaiting && token == news_token_) return OnNewsAnswer(now, body, out);
  const auto at = pending_.find(token);
  if (at == pending_.end()) return;  // cancelled meanwhile
  const Pending pending = std::move(at->second);
  pending_.erase(at);
  if (const auto* status = std::get_if<Status>(&body)) return SendError(pending.id, *status, out);
  std::optional<Json> answer = AnswerJson(*config_, body);
  if (!answer) {
    return SendError(pending.id, Status::Unavailable("the gateway answered something else"), out);
  }
  Json json;
  if (!pending.id.is_null()) json["id"] = pending.id;
  json[pending.name] = std::move(*answer);
  Send(json, out);
  const auto* page = std::get_if<SyncResult>(&body);
  if (!closed_ && pending.sync && page != nullptr) OnSynced(*pending.sync, *page, out);
  const auto* records = std::get_if<core::RecordsPage>(&body);
  if (!closed_ && pending.records && records != nullptr) {
    OnRecords(*pending.records, *records, out);
  }
}

void StreamSession::OnSynced(const SyncRequest& asked, const SyncResult& page, StreamOutput* out) {
  if (asked.user != user_ || asked.device != device_ || page.more) return;
  if (state_ == State::kNone) return;
  const bool moved_on = page.snapshot != snapshot_;
  snapshot_ = page.snapshot;
  told_news_ = false;
  Got(moved_on, out);
}

void StreamSession::OnRecords(const RecordsRequest& asked, const core::RecordsPage& page,
                              StreamOutput* out) {
  const auto place = std::find_if(records_.begin(), records_.end(),
                                  [&](const auto& one) { return one.table == asked.table; });
  if (asked.user != user_ || page.more || place == records_.end()) return;
  if (state_ == State::kNone) return;
  const bool moved_on = page.snapshot != place->snapshot;
  place->snapshot = page.snapshot;
  told_tables_.erase(asked.table);
  Got(moved_on, out);
}

void StreamSession::Got(bool moved_on, StreamOutput* out) {
  const bool told_all = state_ == State::kTold && !told_news_ && told_tables_.empty();
  if (!told_all && (state_ != State::kWaiting || !moved_on)) return;
  Unsubscribe(out);
  Await(out);
}

void StreamSession::OnNewsAnswer(Instant now, const ResponseBody& body, StreamOutput* out) {
  if (const auto* answer = std::get_if<NewsAnswer>(&body)) {
    if (answer->replaced) {
      state_ = State::kNone;
      return Send({{"replaced", Subject()}}, out);
    }
    if (!answer->news && answer->records.empty()) return Await(out);
    state_ = State::kTold;
    told_news_ = answer->news;
    told_tables_ = {answer->records.begin(), answer->records.end()};
    if (told_news_) Send({{"news", Subject()}}, out);
    if (closed_ || told_tables_.empty()) return;
    Json subject = Subject();
    subject["tables"] = answer->records;
    return Send({{"record_news", std::move(subject)}}, out);
  }
  const auto* status = std::get_if<Status>(&body);
  if (status == nullptr || IsNotNow(status->code())) {
    const bool told_when = status != nullptr && status->code() == Code::kOverloaded;
    const uint64_t ms = told_when ? std::min<uint64_t>(status->detail(), 60000) : 0;
    rest_until_ = now + std::max<core::Duration>(options_.rest, std::chrono::milliseconds(ms));
    state_ = State::kResting;
    return;
  }
  state_ = State::kNone;
  if (status->code() != Code::kMoved) return SendError(subscribe_id_, *status, out);
  Send({{"moved", ProblemJson(*config_, *status, HttpStatusOf(status->code()))["home"]}}, out);
}

void StreamSession::Tick(Instant now, StreamOutput* out) {
  if (!closed_ && state_ == State::kResting && rest_until_ <= now) Await(out);
}

std::optional<Instant> StreamSession::NextDeadline() const {
  if (closed_ || state_ != State::kResting) return std::nullopt;
  return rest_until_;
}

void StreamSession::OnClosed(StreamOutput* out) {
  if (std::exchange(closed_, true)) return;
  Unsubscribe(out);
  for (const auto& [token, pending] : pending_) out->cancels.push_back(token);
  pending_.clear();
}

}  // namespace homeport::router
