#include "quorum_queue/reader.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "quorum_queue/codec.h"

namespace homeport::quorum_queue {

using core::Instant;

namespace {

constexpr core::Duration kAskAgainAfter = std::chrono::seconds(1);  // when held nowhere
constexpr core::Duration kTryNearestAfter = std::chrono::seconds(30);
// So long a silent replica may still turn out to have what the others have not.
constexpr core::Duration kPatience = std::chrono::seconds(10);
constexpr uint8_t kReplicasMax = 63;  // fit the masks

}  // namespace

// A session is one subscription at one replica. What an older one still sends is ignored.
struct Reader::Impl {
  explicit Impl(ReaderOptions o)
      : options(std::move(o)), next(options.from), last_session(options.session_base - 1) {
    CHECK(options.replicas > 0 && options.replicas <= kReplicasMax, "1 .. 63 replicas to read from",
          +options.replicas);
    CHECK(options.from > Seq(0), "the first seq is 1");
  }

  void On(ReadAnswerReceived& received);
  void On(const ReaderTick&) {}
  void On(const PauseReader& pause);

  void StartSession(uint8_t at);
  void Renew();
  void OnGap();
  void OnData(ReadAnswer& answer);
  // `have_not`: the mask that this replica belongs in now.
  void OnHasNot(uint64_t* have_not);
  void GoToNext();
  void OnSilence();
  // No replica has `next`.
  void Conclude();
  void ForgetMissing();
  void TryNearest();
  bool IsFromNearest(const ReadAnswerReceived& received) const;
  void ServeTimers();
  std::optional<Instant> Deadline() const;
  uint64_t All() const { return (uint64_t{1} << options.replicas) - 1; }
  void AskReplica(uint8_t to, uint64_t in_session, uint64_t credit);

  const ReaderOptions options;
  Seq next;             // first seq not yet delivered
  Seq committed;        // highest heard of
  Seq trimmed_through;  // highest heard of
  std::optional<Instant> heard;
  uint8_t replica = 0;
  bool started = false;
  bool stopped = false;
  bool paused = false;

  // The session.
  uint64_t last_session;  // highest number given
  uint64_t session = 0;
  uint64_t received_bytes = 0;  // as the replica reckons
  uint64_t renewed_bytes = 0;   // told by the last Read
  Instant renew_at{};
  Instant silent_at{};
  bool answered = false;  // something of this session was of use
  bool restart_on_renewal = false;

  // Replicas that said, for `next`, that they lack it or trimmed it, and those that said nothing.
  uint64_t lacking = 0;
  uint64_t trimmed = 0;
  uint64_t silent = 0;
  std::optional<Instant> missing_since;
  std::optional<Instant> ask_again_at;

  // A session at the nearest replica, while another serves us.
  std::optional<uint64_t> nearest_session;
  std::optional<Instant> try_nearest_at;

  Instant now{};
  std::vector<ReaderEffect>* effects = nullptr;
};

void Reader::Impl::AskReplica(uint8_t to, uint64_t in_session, uint64_t credit) {
  Read read;
  read.stream = options.stream;
  read.session = in_session;
  read.from = next;
  read.received_bytes = in_session == session ? received_bytes : 0;
  read.credit_bytes = credit;
  read.compress = options.compress;
  effects->emplace_back(SendRead{to, read});
}

void Reader::Impl::StartSession(uint8_t at) {
  replica = at;
  session = ++last_session;
  received_bytes = 0;
  answered = false;
  restart_on_renewal = false;
  silent_at = now + options.silent_after;
  if (replica == 0) {
    try_nearest_at.reset();
    nearest_session.reset();
  } else if (!try_nearest_at) {
    try_nearest_at = now + kTryNearestAfter;
  }
  Renew();
}

void Reader::Impl::Renew() {
  renewed_bytes = received_bytes;
  renew_at = now + options.renew_after;
  AskReplica(replica, session, paused ? 0 : options.credit_bytes);
}

void Reader::Impl::GoToNext() {
  StartSession(static_cast<uint8_t>((replica + 1) % options.replicas));
}

// ---- events

void Reader::Impl::On(const PauseReader& pause) {
  if (paused == pause.paused) return;
  paused = pause.paused;
  if (paused) return;
  // A short pause goes on with the session; a long one may have outlived it.
  if (now < silent_at && !restart_on_renewal) {
    silent_at = now + options.silent_after;
    Renew();
  } else {
    StartSession(replica);
  }
}

bool Reader::Impl::IsFromNearest(const ReadAnswerReceived& received) const {
  if (!nearest_session || received.replica != 0 || received.answer.session != *nearest_session) {
    return false;
  }
  return received.answer.outcome == ReadOutcome::kData ||
         received.answer.outcome == ReadOutcome::kIdle;
}

void Reader::Impl::On(ReadAnswerReceived& received) {
  ReadAnswer& answer = received.answer;
  if (answer.stream != options.stream) return;
  heard = now;
  committed = std::max(committed, answer.committed);
  trimmed_through = std::max(trimmed_through, answer.trimmed);
  if (IsFromNearest(received)) {
    StartSession(0);
    return;
  }
  if (received.replica != replica || answer.session != session) return;
  silent_at = now + options.silent_after;
  silent &= ~(uint64_t{1} << replica);
  if (answer.next > next) {
    OnGap();
    return;
  }
  switch (answer.outcome) {
    case ReadOutcome::kData:
      OnData(answer);
      break;
    case ReadOutcome::kIdle:
      answered = true;
      break;
    case ReadOutcome::kLacking:
      if (answer.next == next) OnHasNot(&lacking);
      break;
    case ReadOutcome::kTrimmed:
      if (answer.next == next && answer.trimmed >= next) OnHasNot(&trimmed);
      break;
  }
}

// An answer was lost. A session that began with a gap waits for its renewal: a replica that does so
// again and again must not keep us busy.
void Reader::Impl::OnGap() {
  if (answered && !paused) {
    StartSession(replica);
  } else {
    restart_on_renewal = true;
  }
}

void Reader::Impl::OnData(ReadAnswer& answer) {
  for (EntryRun& run : answer.runs) {
    if (run.empty() || run.last() < next) continue;
    if (run.first > next) {
      OnGap();
      return;
    }
    EntryRun news = SliceRun(run, next, run.last() - next + 1);
    next = news.last() + 1;
    effects->emplace_back(DeliverEffect{std::move(news)});
    ForgetMissing();
    ask_again_at.reset();
  }
  answered = true;
  received_bytes = std::max(received_bytes, answer.sent_bytes);
  if (!paused &&
      received_bytes - renewed_bytes >= std::max<uint64_t>(1, options.credit_bytes / 2)) {
    Renew();
  }
}

void Reader::Impl::OnHasNot(uint64_t* have_not) {
  const uint64_t bit = uint64_t{1} << replica;
  lacking &= ~bit;
  trimmed &= ~bit;
  *have_not |= bit;
  answered = true;
  if (!missing_since) missing_since = now;
  if ((lacking | trimmed) != All()) {
    GoToNext();
    return;
  }
  Conclude();
}

void Reader::Impl::Conclude() {
  if (trimmed != 0) {
    // Some trimmed it and the others do not have it: gone.
    stopped = true;
    effects->emplace_back(TrimmedEffect{trimmed_through + 1});
    return;
  }
  effects->emplace_back(HeldNowhereEffect{next});
  ForgetMissing();
  ask_again_at = now + kAskAgainAfter;
}

void Reader::Impl::ForgetMissing() {
  lacking = trimmed = silent = 0;
  missing_since.reset();
}

// ---- timers

// A replica that is dead for good must not hide that the others have nothing to give.
void Reader::Impl::OnSilence() {
  silent |= uint64_t{1} << replica;
  if (missing_since && now - *missing_since >= kPatience && (lacking | trimmed | silent) == All()) {
    Conclude();
  } else {
    GoToNext();
  }
}

void Reader::Impl::TryNearest() {
  try_nearest_at = now + kTryNearestAfter;
  nearest_session = ++last_session;
  // Credit for one answer: it is only to show that it lives and has what comes next.
  AskReplica(0, *nearest_session, 1);
}

void Reader::Impl::ServeTimers() {
  if (paused) return;
  if (ask_again_at) {
    if (*ask_again_at > now) return;
    ask_again_at.reset();
    GoToNext();
    return;
  }
  if (silent_at <= now) {
    OnSilence();
    if (stopped || ask_again_at) return;
  } else if (renew_at <= now) {
    if (restart_on_renewal) {
      StartSession(replica);
    } else {
      Renew();
    }
  }
  if (try_nearest_at && *try_nearest_at <= now) TryNearest();
}

std::optional<Instant> Reader::Impl::Deadline() const {
  if (stopped) return std::nullopt;
  if (!started) return Instant{};
  if (paused) return std::nullopt;
  if (ask_again_at) return ask_again_at;
  Instant first = std::min(renew_at, silent_at);
  if (try_nearest_at) first = std::min(first, *try_nearest_at);
  return first;
}

// ---- Reader

Reader::Reader(ReaderOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Reader::~Reader() = default;

void Reader::Step(Instant now, ReaderEvent event, std::vector<ReaderEffect>* effects) {
  Impl& r = *impl_;
  if (r.stopped) return;
  r.now = now;
  r.effects = effects;
  if (!r.started) {
    r.started = true;
    r.StartSession(0);
  }
  std::visit([&](auto& one) { r.On(one); }, event);
  if (!r.stopped) r.ServeTimers();
  r.effects = nullptr;
}

std::optional<Instant> Reader::NextDeadline() const {
  return impl_->Deadline();
}

ReaderStatus Reader::Status() const {
  return {impl_->next, impl_->committed, impl_->heard, impl_->replica};
}

}  // namespace homeport::quorum_queue
