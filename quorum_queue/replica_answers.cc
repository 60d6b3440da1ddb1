#include "quorum_queue/replica_answers.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "core/check.h"
#include "quorum_queue/planted.h"

namespace homeport::quorum_queue {
namespace {

enum class Kind { kStored, kFilled, kFence, kRecover };
using Key = std::tuple<ReplicaPeer, StreamId, WriterEpoch, Kind, Seq>;

// Answers with the same key may become one.
std::optional<Key> KeyOf(const AnswerEffect& effect) {
  if (const auto* stored = std::get_if<Stored>(&effect.answer)) {
    return Key(effect.peer, stored->stream, stored->epoch,
               stored->fill ? Kind::kFilled : Kind::kStored, Seq(0));
  }
  if (const auto* fence = std::get_if<FenceAnswer>(&effect.answer)) {
    return Key(effect.peer, fence->stream, fence->epoch, Kind::kFence, fence->after);
  }
  if (const auto* all = std::get_if<RecoverAnswer>(&effect.answer)) {
    return Key(effect.peer, all->stream, all->epoch, Kind::kRecover, all->from);
  }
  return std::nullopt;
}

// Makes `one` stand for `later` too. False when their entries are not adjacent.
bool Absorb(Stored* one, const Stored& later) {
  if (one->count > 0 && later.count > 0) {
    const Seq end = one->first + one->count;
    const Seq later_end = later.first + later.count;
    if (later.first > end || later_end < one->first) return false;
    one->first = std::min(one->first, later.first);
    one->count = std::max(end, later_end) - one->first;
  } else if (later.count > 0) {
    one->first = later.first;
    one->count = later.count;
  }
  one->committed = std::max(one->committed, later.committed);
  return true;
}

}  // namespace

void AnswerQueue::Add(RecordNumber awaits, AnswerEffect answer) {
  CHECK(waiting_.empty() || waiting_.back().awaits <= awaits,
        "answers are in order of their records");
  waiting_.push_back({awaits, std::move(answer)});
}

void AnswerQueue::Take(RecordNumber persisted, std::vector<ReplicaEffect>* effects) {
  std::map<Key, size_t> latest;  // index in *effects
  while (!waiting_.empty() && waiting_.front().awaits <= persisted) {
    if (HOMEPORT_PLANTED("answers-kept") && waiting_.size() == 1) break;
    AnswerEffect next = std::move(waiting_.front().answer);
    waiting_.pop_front();
    if (const auto key = KeyOf(next)) {
      const auto [known, is_new] = latest.try_emplace(*key, effects->size());
      if (!is_new) {
        auto& earlier = std::get<AnswerEffect>((*effects)[known->second]);
        if (!std::holds_alternative<Stored>(next.answer)) {  // a page: the later one
          earlier = std::move(next);
          continue;
        }
        if (Absorb(&std::get<Stored>(earlier.answer), std::get<Stored>(next.answer))) continue;
        known->second = effects->size();
      }
    }
    effects->emplace_back(std::move(next));
  }
}

}  // namespace homeport::quorum_queue
