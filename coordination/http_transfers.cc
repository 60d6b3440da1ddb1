#include "coordination/http_transfers.h"

#include <curl/curl.h>

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace homeport::coordination {
namespace {

constexpr size_t kBodyBytesMax = 16 << 20;
constexpr long kConnectTimeoutMs = 1000;

int MsOf(core::Duration time) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(time).count();
  return static_cast<int>(std::clamp<int64_t>(ms, 1, 1 << 30));
}

}  // namespace

struct HttpTransfers::Transfer {
  Id id = 0;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  std::string body;
  std::string answer;
  bool too_long = false;
  bool* has_come = nullptr;

  ~Transfer() {
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
  }
  static size_t OnBytes(char* bytes, size_t size, size_t count, void* self) {
    auto* transfer = static_cast<Transfer*>(self);
    if (transfer->answer.size() + size * count > kBodyBytesMax) {
      transfer->too_long = true;
      return 0;  // ends it
    }
    transfer->answer.append(bytes, size * count);
    *transfer->has_come = true;
    return size * count;
  }
};

HttpTransfers::HttpTransfers() {
  static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(kReady == CURLE_OK, "libcurl begins", curl_easy_strerror(kReady));
  multi_ = curl_multi_init();
  CHECK(multi_ != nullptr, "out of memory");
}

HttpTransfers::~HttpTransfers() {
  while (!transfers_.empty()) Drop(transfers_.begin()->first);
  curl_multi_cleanup(multi_);
}

HttpTransfers::Id HttpTransfers::Begin(const std::string& url, std::string body,
                                       core::Duration timeout, HttpRepeat repeat) {
  auto transfer = std::make_unique<Transfer>();
  transfer->id = ++last_;
  transfer->body = std::move(body);
  transfer->has_come = &has_come_;
  CURL* easy = transfer->easy = curl_easy_init();
  CHECK(easy != nullptr, "out of memory");
  for (const char* header : {"Content-Type: application/json", "Expect:",
                             // A watch at a member without a leader ends.
                             "Grpc-Metadata-hasleader: true"}) {
    transfer->headers = curl_slist_append(transfer->headers, header);
  }
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->body.data());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(transfer->body.size()));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::OnBytes);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer.get());
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer.get());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // A name server that is silent is not waited for beyond the call's time.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  if (repeat == HttpRepeat::kMustNot) curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(MsOf(timeout)));
  CHECK(curl_multi_add_handle(multi_, easy) == CURLM_OK, "a new transfer is taken");
  const Id id = transfer->id;
  transfers_[id] = std::move(transfer);
  return id;
}

std::vector<std::string> HttpTransfers::TakeLines(Id id) {
  std::vector<std::string> lines;
  const auto transfer = transfers_.find(id);
  if (transfer == transfers_.end()) return lines;
  std::string& answer = transfer->second->answer;
  size_t from = 0;
  for (size_t end; (end = answer.find('\n', from)) != std::string::npos; from = end + 1) {
    if (end > from) lines.push_back(answer.substr(from, end - from));
  }
  answer.erase(0, from);
  return lines;
}

void HttpTransfers::Drop(Id id) {
  const auto transfer = transfers_.find(id);
  if (transfer == transfers_.end()) return;
  curl_multi_remove_handle(multi_, transfer->second->easy);
  transfers_.erase(transfer);
}

void HttpTransfers::Wait(int fd, core::Duration timeout_max) {
  has_come_ = false;
  // What this finishes nothing would wake a wait for.
  const bool has_ended = Perform() < transfers_.size();
  curl_waitfd also{fd, CURL_WAIT_POLLIN, 0};
  const int timeout_ms = has_ended || has_come_ ? 0 : MsOf(timeout_max);
  curl_multi_poll(multi_, &also, 1, timeout_ms, nullptr);
  (void)Perform();
}

// How many are under way.
size_t HttpTransfers::Perform() {
  int running = 0;
  curl_multi_perform(multi_, &running);
  return static_cast<size_t>(running);
}

std::vector<std::pair<HttpTransfers::Id, HttpEnd>> HttpTransfers::TakeEnded() {
  std::vector<std::pair<Id, HttpEnd>> ended;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    Transfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    const CURLcode result = message->data.result;
    HttpEnd end;
    if (result == CURLE_OK) {
      long code = 0;
      curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &code);
      end.code = static_cast<int>(code);
    } else {
      curl_off_t connected = 0;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRETRANSFER_TIME_T, &connected);
      end.why = curl_easy_strerror(result);
      end.sent = connected > 0;
    }
    end.too_long = transfer->too_long;
    end.body = std::move(transfer->answer);
    const Id id = transfer->id;
    Drop(id);
    ended.emplace_back(id, std::move(end));
  }
  return ended;
}

}  // namespace homeport::coordination
