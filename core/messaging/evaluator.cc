#include "core/messaging/evaluator.h"

#include <variant>

#include "core/messaging/evaluator_impl.h"

namespace homeport::core {
namespace {

// A kept row's tombstone.
constexpr Version kDropped{2};
// What a counters row adds to an entry, at most, and each device in it.
constexpr uint64_t kCountersPutBytes = 312;
constexpr uint64_t kDevicePositionBytes = 56;

}  // namespace

Evaluator::Evaluator(EvaluatorOptions options, const StoreView* store)
    : impl_(std::make_unique<Impl>(options, store)) {}
Evaluator::~Evaluator() = default;

void Evaluator::Begin(WallMs now) {
  CHECK(draft_empty(), "one entry is open at a time");
  impl_->view.OpenEntry();
  impl_->draft.emplace(now);
}

CommandResult Evaluator::Execute(const Command& command) {
  CHECK(impl_->draft.has_value(), "Execute needs an open entry");
  return std::visit([&](const auto& one) { return impl_->Run(one); }, command);
}

void Evaluator::Consume(StreamId source, Seq seq, uint32_t index, std::string_view pending_intent) {
  CHECK(impl_->draft.has_value(), "Consume needs an open entry");
  const Cursor cursor{seq, index};
  CHECK(cursor > impl_->view.ConsumedThrough(source), "an intent is consumed once", source, seq,
        index);
  const Origin origin{source, seq, index};
  impl_->view.Consumed(source, cursor);
  impl_->draft->Consumed(impl_->options.self, source, cursor);
  const auto intent = DecodePendingIntent(pending_intent);
  CHECK(intent.has_value(), "only ApplyEntry makes pending intents, in this format", source, seq);
  impl_->Take(*intent, origin);
}

void Evaluator::Keep(Incarnation role, const PendingIntent& intent) {
  CHECK(impl_->draft.has_value(), "Keep needs an open entry");
  // Never read by evaluation, so it goes past the view.
  impl_->draft->Put(KeptKey(role, intent.source, intent.seq, intent.index), {{}, kFirst},
                    intent.bytes);
}

void Evaluator::DropKept(const std::string& key) {
  CHECK(impl_->draft.has_value(), "DropKept needs an open entry");
  impl_->draft->Delete(key, {{}, kDropped});
}

void Evaluator::AddReport(Report report) {
  CHECK(impl_->draft.has_value(), "AddReport needs an open entry");
  impl_->draft->SetReport(std::move(report));
}

uint64_t Evaluator::draft_bytes() const {
  if (draft_empty()) return 0;
  uint64_t bytes = impl_->draft->bytes();
  for (const auto& [owner, epoch] : impl_->counted) {
    bytes +=
        kCountersPutBytes + impl_->view.CountersOf(owner).devices.size() * kDevicePositionBytes;
  }
  return bytes;
}

bool Evaluator::draft_empty() const {
  // Counters alone are a change, too; they are drafted last.
  return !impl_->draft.has_value() || (impl_->draft->empty() && impl_->counted.empty());
}

std::string Evaluator::Finish() {
  CHECK(impl_->draft.has_value(), "Finish needs an open entry");
  if (draft_empty()) {
    impl_->draft.reset();
    return {};
  }
  for (const auto& [owner, epoch] : impl_->counted) {
    Counters& counters = impl_->view.CountersOf(owner);
    const Version version(++counters.writes);
    impl_->Put(CountersKey(impl_->shard(), owner), {epoch, version}, EncodeCounters(counters));
  }
  impl_->counted.clear();
  std::string bytes = impl_->draft->Encode();
  impl_->draft.reset();
  impl_->view.CloseEntry();
  return bytes;
}

void Evaluator::Applied() {
  impl_->view.Applied();
}

}  // namespace homeport::core
