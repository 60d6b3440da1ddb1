#include "router/http_front.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <deque>
#include <functional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "core/check.h"
#include "core/clock.h"
#include "core/files.h"
#include "core/log.h"
#include "core/reconnects.h"
#include "router/api.h"
#include "router/sealed_identity.h"
#include "router/stream_session.h"
#include "router/token_bucket.h"
#include "router/upstream.h"

namespace homeport::router {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;
using core::ClusterConfig;
using core::Json;
using core::Result;
using core::Status;
using core::SteadyNow;

namespace {

constexpr size_t kHeadBytesMax = 8 << 10;
constexpr size_t kBufferBytesMax = 16 << 10;  // of what is read and not yet parsed
constexpr auto kQuietMax = std::chrono::seconds(60);
constexpr auto kHandshakeMax = std::chrono::seconds(10);
constexpr auto kCloseMax = std::chrono::seconds(2);
constexpr size_t kLingerBytesMax = 4 << 20;
constexpr auto kTickEvery = std::chrono::milliseconds(50);
constexpr auto kAcceptAgainAfter = std::chrono::milliseconds(100);
constexpr const char* kJsonType = "application/json";
constexpr const char* kProblemType = "application/problem+json";

struct Meters {
  explicit Meters(const HttpFrontOptions& options)
      : connections(Gauge(options, "connections", "HTTP and WebSocket connections.")),
        streams(Gauge(options, "streams", "WebSocket connections.")),
        requests(Counter(options, "requests_total", "HTTP requests.")),
        messages(Counter(options, "stream_messages_total", "Messages of clients on streams.")),
        errors(Counter(options, "errors_total", "HTTP requests answered by an error.")),
        malformed(Counter(options, "malformed_total", "Connections ended by what is no HTTP.")),
        refused(Counter(options, "refused_total", "Connections refused: there are too many.")),
        limited(Counter(options, "limited_total", "Requests refused: faster than is allowed.")),
        slow(Counter(options, "slow_readers_total", "Streams ended: their client did not read.")),
        upstream(Counter(options, "upstream_malformed_total", "Answers that could not be read.")) {}

  prometheus::Gauge& connections;
  prometheus::Gauge& streams;
  prometheus::Counter& requests;
  prometheus::Counter& messages;
  prometheus::Counter& errors;
  prometheus::Counter& malformed;
  prometheus::Counter& refused;
  prometheus::Counter& limited;
  prometheus::Counter& slow;
  prometheus::Counter& upstream;

 private:
  static prometheus::Gauge& Gauge(const HttpFrontOptions& options, const std::string& name,
                                  const std::string& help) {
    return prometheus::BuildGauge()
        .Name("homeport_api_" + name)
        .Help(help)
        .Register(*options.registry)
        .Add({{"region", options.region}});
  }
  static prometheus::Counter& Counter(const HttpFrontOptions& options, const std::string& name,
                                      const std::string& help) {
    return prometheus::BuildCounter()
        .Name("homeport_api_" + name)
        .Help(help)
        .Register(*options.registry)
        .Add({{"region", options.region}});
  }
};

// What connections need of the front. All of it runs on the front's thread.
class Shared {
 public:
  using Answered = std::function<void(const ResponseBody&)>;

  Shared(HttpFrontOptions o, std::unique_ptr<core::DealerSocket> dealer,
         std::unique_ptr<core::Reconnects> reconnects)
      : options(std::move(o)),
        meters(options),
        dealer_(std::move(dealer)),
        reconnects_(std::move(reconnects)),
        fd_(io),
        reconnects_fd_(io) {
    fd_.assign(dealer_->fd());
    reconnects_fd_.assign(reconnects_->fd());
  }
  ~Shared() {  // the descriptors are ZeroMQ's
    fd_.release();
    reconnects_fd_.release();
  }

  // `answered` is called later, once, unless it is cancelled.
  uint64_t Ask(const RequestBody& request, Answered answered) {
    const uint64_t number = upstream_.Ask(SteadyNow(), request, &output_);
    answered_.emplace(number, std::move(answered));
    asio::post(io, [this] { CarryOut(); });
    return number;
  }
  void Cancel(uint64_t number) {
    if (answered_.erase(number) > 0) upstream_.Cancel(number, &output_);
    asio::post(io, [this] { CarryOut(); });
  }
  void Watch() {
    Watch(&fd_);
    Watch(&reconnects_fd_);
  }
  void Tick() {
    upstream_.Tick(SteadyNow(), &output_);
    CarryOut();
    const auto malformed = static_cast<double>(upstream_.malformed());
    meters.upstream.Increment(malformed - meters.upstream.Value());
  }

  // Empty: no page asks. nullopt: a page that may not.
  std::optional<std::string> AllowedOrigin(std::string_view origin) const {
    std::string_view allowed = options.config.api_origins;
    if (origin.empty() || allowed == "*") return std::string(origin);
    while (!allowed.empty()) {
      const size_t comma = std::min(allowed.find(','), allowed.size());
      std::string_view one = allowed.substr(0, comma);
      while (one.starts_with(' ')) one.remove_prefix(1);
      while (one.ends_with(' ')) one.remove_suffix(1);
      if (one == origin) return std::string(origin);
      allowed.remove_prefix(std::min(comma + 1, allowed.size()));
    }
    return std::nullopt;
  }

  const HttpFrontOptions options;
  Meters meters;
  asio::io_context io{1};

 private:
  void Watch(asio::posix::stream_descriptor* fd) {
    fd->async_wait(asio::posix::stream_descriptor::wait_read, [this, fd](error_code failed) {
      if (failed) return;
      CarryOut();
      Watch(fd);
    });
  }
  void CarryOut() {
    if (reconnects_->Take()) upstream_.Reconnected(SteadyNow(), &output_);
    // ZeroMQ's descriptor tells of changes only, so all that is there is taken each time.
    core::Frames frames;
    while (true) {
      for (std::string& bytes : std::exchange(output_.sends, {})) {
        // What cannot be sent now is sent again.
        dealer_->Send({core::SharedBytes(std::move(bytes))});
      }
      while (dealer_->Receive(&frames)) {
        upstream_.Receive(frames.size() == 1 ? frames[0].view() : "", &output_);
      }
      if (output_.answered.empty() && output_.sends.empty()) return;
      for (auto& answer : std::exchange(output_.answered, {})) {
        const auto at = answered_.find(answer.number);
        if (at == answered_.end()) continue;
        const Answered answered = std::move(at->second);
        answered_.erase(at);
        answered(answer.body);
      }
    }
  }

  const std::unique_ptr<core::DealerSocket> dealer_;
  const std::unique_ptr<core::Reconnects> reconnects_;
  asio::posix::stream_descriptor fd_;
  asio::posix::stream_descriptor reconnects_fd_;
  Upstream upstream_{UpstreamOptions{}};
  UpstreamOutput output_;
  std::unordered_map<uint64_t, Answered> answered_;  // never iterated
};

// One of the connections, as long as it lives.
class Counted {
 public:
  explicit Counted(prometheus::Gauge& gauge) : gauge_(gauge) { gauge_.Increment(); }
  ~Counted() { gauge_.Decrement(); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  prometheus::Gauge& gauge_;
};

// ---- WebSocket

class Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(Shared* shared, std::shared_ptr<Counted> connection, beast::tcp_stream stream)
      : shared_(shared),
        connection_(std::move(connection)),
        counted_(shared->meters.streams),
        socket_(std::move(stream)),
        session_({}, &shared->options.config),
        timer_(shared->io) {}

  void Start(const http::request<http::string_body>& request) {
    // The stream's own time-outs take over: a ping each half of idle_timeout.
    beast::get_lowest_layer(socket_).expires_never();
    socket_.set_option(websocket::stream_base::timeout{kHandshakeMax, kQuietMax, true});
    socket_.read_message_max(kApiBodyBytesMax);
    socket_.auto_fragment(false);
    socket_.async_accept(request, [self = shared_from_this()](error_code failed) {
      if (!failed) self->Read();
    });
  }

 private:
  void Read() {
    socket_.async_read(buffer_, [self = shared_from_this()](error_code failed, size_t) {
      if (failed) return self->Gone();
      self->OnMessage();
      if (!self->closing_) self->Read();
    });
  }
  void OnMessage() {
    shared_->meters.messages.Increment();
    StreamOutput out;
    if (!socket_.got_text()) {
      session_.OnClosed(&out);
      out.close = {1003, "text only"};
    } else {
      const auto bytes = buffer_.data();
      session_.OnText(SteadyNow(), {static_cast<const char*>(bytes.data()), bytes.size()}, &out);
    }
    buffer_.clear();
    buffer_.shrink_to_fit();
    CarryOut(out);
  }
  void CarryOut(StreamOutput& out) {
    for (const uint64_t token : out.cancels) {
      if (const auto at = numbers_.find(token); at != numbers_.end()) {
        shared_->Cancel(at->second);
        numbers_.erase(at);
      }
    }
    for (StreamOutput::Ask& ask : out.asks) {
      numbers_[ask.token] = shared_->Ask(
          ask.request, [weak = weak_from_this(), token = ask.token](const ResponseBody& body) {
            if (const auto self = weak.lock()) self->OnAnswer(token, body);
          });
    }
    for (std::string& text : out.sends) texts_.push_back(std::move(text));
    Count();
    Write();
    if (out.close) Close(*out.close);
    Arm();
  }
  void Count() {
    auto& limited = shared_->meters.limited;
    const uint64_t before = std::exchange(limited_, session_.limited());
    limited.Increment(static_cast<double>(limited_ - before));
  }
  void OnAnswer(uint64_t token, const ResponseBody& body) {
    numbers_.erase(token);
    StreamOutput out;
    session_.OnAnswer(SteadyNow(), token, body, &out);
    CarryOut(out);
  }
  void Write() {
    if (writing_ || texts_.empty() || closing_) return;
    writing_ = true;
    socket_.text(true);
    socket_.async_write(asio::buffer(texts_.front()),
                        [self = shared_from_this()](error_code failed, size_t) {
                          self->writing_ = false;
                          self->session_.OnWritten(self->texts_.front().size());
                          self->texts_.pop_front();
                          if (failed) return self->Gone();
                          self->Write();
                        });
  }
  void Arm() {
    const auto due = session_.NextDeadline();
    if (!due || armed_ || closing_) return;
    armed_ = true;
    timer_.expires_after(std::max(core::Duration(0), *due - SteadyNow()));
    timer_.async_wait([self = shared_from_this()](error_code failed) {
      self->armed_ = false;
      if (failed || self->closing_) return;
      StreamOutput out;
      self->session_.Tick(SteadyNow(), &out);
      self->CarryOut(out);
    });
  }
  void Close(const StreamOutput::Close& why) {
    if (std::exchange(closing_, true)) return;
    if (why.code == 1008) shared_->meters.slow.Increment();
    // It is told if it reads now; else the connection ends without a word.
    timer_.expires_after(kCloseMax);
    timer_.async_wait([self = shared_from_this()](error_code failed) {
      if (!failed) beast::get_lowest_layer(self->socket_).close();
    });
    socket_.async_close({static_cast<websocket::close_code>(why.code), why.reason},
                        [self = shared_from_this()](error_code) {
                          self->timer_.cancel();
                          beast::get_lowest_layer(self->socket_).close();
                        });
  }
  void Gone() {
    closing_ = true;
    timer_.cancel();
    StreamOutput out;
    session_.OnClosed(&out);
    CarryOut(out);
  }

  Shared* const shared_;
  const std::shared_ptr<Counted> connection_;
  const Counted counted_;
  websocket::stream<beast::tcp_stream, false> socket_;
  beast::flat_buffer buffer_;
  StreamSession session_;
  asio::steady_timer timer_;
  std::unordered_map<uint64_t, uint64_t> numbers_;  // upstream's, by the session's token
  std::deque<std::string> texts_;
  uint64_t limited_ = 0;
  bool writing_ = false;
  bool armed_ = false;
  bool closing_ = false;
};

// ---- HTTP

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Shared* shared, tcp::socket socket)
      : shared_(shared),
        counted_(std::make_shared<Counted>(shared->meters.connections)),
        stream_(std::move(socket)),
        bucket_(shared->options.config.api_rate) {}

  void Read() {
    buffer_.shrink_to_fit();
    parser_.emplace();
    parser_->header_limit(kHeadBytesMax);
    parser_->body_limit(kApiBodyBytesMax);
    stream_.expires_after(kQuietMax);
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code failed, size_t) { self->OnRead(failed); });
  }

 private:
  using Request = http::request<http::string_body>;
  using Reply = http::response<http::string_body>;

  void OnRead(error_code failed) {
    if (!failed) return Handle(parser_->release());
    const bool is_http =
        failed.category() == http::make_error_code(http::error::bad_target).category();
    if (!is_http || failed == http::error::end_of_stream) return Shut();
    shared_->meters.malformed.Increment();
    keep_alive_ = false;
    version_ = 11;
    int http_status = 400;
    Status why = Status::BadRequest(fmt::format("this is no HTTP request: {}", failed.message()));
    if (failed == http::error::body_limit) {
      http_status = 413;
      why = Status::TooLarge(kApiBodyBytesMax,
                             fmt::format("a body may have {} bytes", kApiBodyBytesMax));
    }
    if (failed == http::error::header_limit) http_status = 431;
    Refuse(http_status, why);
  }

  void Handle(const Request& request) {
    shared_->meters.requests.Increment();
    version_ = request.version();
    keep_alive_ = request.keep_alive();
    const auto origin = shared_->AllowedOrigin(View(request[http::field::origin]));
    origin_ = origin.value_or("");
    if (!origin) {
      return Refuse(403,
                    Status::BadRequest("pages of this origin are not served: see api_origins"));
    }
    const std::string_view target = View(request.target());
    const bool is_stream = target.substr(0, target.find('?')) == kStreamPath;
    if (const auto wait = bucket_.Take(SteadyNow())) {
      shared_->meters.limited.Increment();
      return Refuse(429, TooFast(*wait, "this connection"));
    }
    if (request.method() == http::verb::options && !origin_.empty()) return Preflight();
    if (is_stream) {
      if (!websocket::is_upgrade(request)) {
        return Refuse(426, Status::BadRequest("this is for WebSockets"));
      }
      return std::make_shared<Stream>(shared_, counted_, std::move(stream_))->Start(request);
    }
    auto read = ReadApiRequest(View(request.method_string()), target, request.body());
    if (const auto* refused = std::get_if<ApiError>(&read)) {
      return Refuse(refused->http_status, refused->status, refused->allow);
    }
    shared_->Ask(std::get<RequestBody>(read),
                 [self = shared_from_this()](const ResponseBody& body) { self->OnAnswer(body); });
  }

  void OnAnswer(const ResponseBody& body) {
    if (const auto* status = std::get_if<Status>(&body)) {
      return Refuse(HttpStatusOf(status->code()), *status);
    }
    const auto json = AnswerJson(shared_->options.config, body);
    if (!json) return Refuse(500, Status::Unavailable("the gateway answered something else"));
    Write(MakeReply(200, kJsonType, core::ToText(*json)));
  }

  Reply MakeReply(int http_status, const char* type, std::string body) {
    Reply reply(static_cast<http::status>(http_status), version_);
    reply.keep_alive(keep_alive_);
    if (*type != 0) reply.set(http::field::content_type, type);
    reply.set(http::field::cache_control, "no-store");
    if (!origin_.empty()) {
      reply.set(http::field::access_control_allow_origin, origin_);
      reply.set(http::field::access_control_expose_headers, "Retry-After");
      reply.set(http::field::vary, "Origin");
    }
    reply.body() = std::move(body);
    reply.prepare_payload();
    return reply;
  }
  void Refuse(int http_status, const Status& why, const std::string& allow = "") {
    shared_->meters.errors.Increment();
    const Json problem = ProblemJson(shared_->options.config, why, http_status);
    Reply reply = MakeReply(http_status, kProblemType, core::ToText(problem));
    if (!allow.empty()) reply.set(http::field::allow, allow);
    if (http_status == 426) reply.set(http::field::upgrade, "websocket");
    if (why.code() == core::Code::kOverloaded) {
      reply.set(http::field::retry_after, std::to_string(why.detail() / 1000 + 1));
    }
    Write(std::move(reply));
  }
  void Preflight() {
    Reply reply = MakeReply(204, "", "");
    reply.set(http::field::access_control_allow_methods, "GET, POST, PUT, DELETE");
    reply.set(http::field::access_control_allow_headers, "Content-Type");
    reply.set(http::field::access_control_max_age, "600");
    Write(std::move(reply));
  }
  void Write(Reply reply) {
    reply_.emplace(std::move(reply));
    stream_.expires_after(kQuietMax);
    http::async_write(stream_, *reply_, [self = shared_from_this()](error_code failed, size_t) {
      self->reply_.reset();
      if (failed) return;
      if (!self->keep_alive_) return self->Shut();
      self->Read();
    });
  }
  // Closing at once, with bytes of the client's unread, would take back what it was told.
  void Shut() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    buffer_.clear();
    stream_.expires_after(kCloseMax);
    Linger(0);
  }
  void Linger(size_t taken) {
    if (taken > kLingerBytesMax) return;
    stream_.async_read_some(buffer_.prepare(kHeadBytesMax),
                            [self = shared_from_this(), taken](error_code failed, size_t size) {
                              if (!failed) self->Linger(taken + size);
                            });
  }
  static std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

  Shared* const shared_;
  const std::shared_ptr<Counted> counted_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{kBufferBytesMax};
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<Reply> reply_;
  TokenBucket bucket_;
  std::string origin_;
  unsigned version_ = 11;
  bool keep_alive_ = false;
};

// ---- the front

class HttpFrontThread final : public HttpFront {
 public:
  HttpFrontThread(HttpFrontOptions options, std::unique_ptr<core::DealerSocket> dealer,
                  std::unique_ptr<core::Reconnects> reconnects)
      : shared_(std::move(options), std::move(dealer), std::move(reconnects)),
        acceptor_(shared_.io),
        accept_again_(shared_.io),
        tick_(shared_.io) {}
  ~HttpFrontThread() override {
    shared_.io.stop();
    if (thread_.joinable()) thread_.join();
  }

  Status Listen() {
    const std::string& address = shared_.options.address;
    const size_t colon = address.rfind(':');
    error_code failed;
    tcp::resolver resolver(shared_.io);
    const std::string host = address.substr(0, colon);
    const auto found = resolver.resolve(host == "*" ? "0.0.0.0" : host,
                                        colon < address.size() ? address.substr(colon + 1) : "",
                                        tcp::resolver::passive, failed);
    if (failed || found.empty()) return Failed(failed);
    const tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor_.open(endpoint.protocol(), failed);
    if (!failed) acceptor_.set_option(asio::socket_base::reuse_address(true), failed);
    if (!failed) acceptor_.bind(endpoint, failed);
    if (!failed) acceptor_.listen(asio::socket_base::max_listen_connections, failed);
    if (failed) return Failed(failed);
    address_ = fmt::format("{}:{}", host, acceptor_.local_endpoint().port());
    Accept();
    shared_.Watch();
    Tick();
    thread_ = std::thread([this] { shared_.io.run(); });
    return {};
  }
  const std::string& address() const override { return address_; }

 private:
  Status Failed(const error_code& why) const {
    return Status::Io(
        fmt::format("cannot serve clients on {}: {}", shared_.options.address, why.message()));
  }
  void Accept() {
    acceptor_.async_accept([this](error_code failed, tcp::socket socket) {
      if (failed == asio::error::operation_aborted) return;
      if (failed) return AcceptLater();
      const auto open = static_cast<size_t>(shared_.meters.connections.Value());
      if (open >= shared_.options.connections_max) {
        shared_.meters.refused.Increment();
      } else {
        std::make_shared<Connection>(&shared_, std::move(socket))->Read();
      }
      Accept();
    });
  }
  // Out of descriptors: some must be closed first.
  void AcceptLater() {
    shared_.meters.refused.Increment();
    accept_again_.expires_after(kAcceptAgainAfter);
    accept_again_.async_wait([this](error_code failed) {
      if (!failed) Accept();
    });
  }
  void Tick() {
    tick_.expires_after(kTickEvery);
    tick_.async_wait([this](error_code failed) {
      if (failed) return;
      shared_.Tick();
      Tick();
    });
  }

  Shared shared_;
  tcp::acceptor acceptor_;
  asio::steady_timer accept_again_;
  asio::steady_timer tick_;
  std::string address_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<HttpFront>> HttpFront::Start(core::Context& context,
                                                    HttpFrontOptions options) {
  const auto key = core::SnapshotKey::FromSecret(options.config.secret);
  ASSIGN_OR_RETURN(auto dealer,
                   core::DealerSocket::Connect(
                       context, options.gateway, kResponseBytesMax, core::WhenDown::kQueue,
                       NewSealedId(key, SealedRole::kFront, core::RandomBits())));
  auto reconnects = core::Reconnects::Watch(context, *dealer);
  auto front = std::make_unique<HttpFrontThread>(std::move(options), std::move(dealer),
                                                 std::move(reconnects));
  RETURN_IF_ERROR(front->Listen());
  return std::unique_ptr<HttpFront>(std::move(front));
}

}  // namespace homeport::router
