#include <fmt/format.h>

#include <algorithm>

#include "core/messaging/evaluator_impl.h"
#include "core/text.h"

namespace homeport::core {

// Operators' orders and their journal (operations.h).

namespace {

Status NotShardZero() {
  return Status::BadRequest("what operators order is kept by shard 0");
}

}  // namespace

// Two operators at once: what was ordered first counts, and the other is told.
CommandResult Evaluator::Impl::operator()(const OrderRegion& command) {
  if (shard() != ShardId(0)) return Refused(NotShardZero());
  RegionState state = command.state;
  if (Status bad = CheckRegionState(state); !bad.ok()) return Refused(std::move(bad));
  std::string key = RegionStateKey(state.region, static_cast<uint8_t>(state.order), options.self);
  const std::optional<Row> own = view.Find(key);
  std::vector<RegionState> known = LoadRegionStates(view.store());
  if (own.has_value()) {
    if (auto drafted = DecodeRegionState(own->value)) MergeState(std::move(*drafted), &known);
  }
  const RegionState* last = FindState(known, state.region, state.order);
  CommandResult result;
  if (last != nullptr && last->SameOrder(state)) return result;
  if (last != nullptr && last->number >= state.number) {
    return Refused(Status::Refused(
        fmt::format("{} was first: {} of incarnation {} was switched {} at {}; look at `homeport "
                    "status` before you order again",
                    last->by, OrderName(last->order), last->region.value(), last->on ? "on" : "off",
                    FormatTime(last->at_ms))));
  }
  state.writer = options.self;
  // The number rises with every order that is taken, so it is the version, too.
  Put(std::move(key), {{}, Version(state.number)}, EncodeRegionState(state));
  result.changed = true;
  return result;
}

CommandResult Evaluator::Impl::operator()(const WriteJournal& command) {
  if (shard() != ShardId(0)) return Refused(NotShardZero());
  JournalRecord record = command.record;
  if (Status bad = CheckJournal(record); !bad.ok()) return Refused(std::move(bad));
  std::string key = JournalKey(options.self, record.id);
  const std::optional<Row> row = view.Find(key);
  std::optional<JournalRecord> before;
  if (row.has_value() && !row->deleted) before = DecodeJournal(row->value);
  record.writer = options.self;
  record.changed_at_ms = now_ms();
  record.begun_at_ms = before.has_value() ? before->begun_at_ms : now_ms();
  record.number = before.has_value() ? before->number : NextJournalNumber();
  CommandResult result;
  result.number = record.number;
  result.changed = true;
  Put(std::move(key), {{}, row.has_value() ? row->stamp.version + 1 : kFirst},
      EncodeJournal(record));
  return result;
}

// Above all that is known, of whatever region. The oldest record of this one goes when there are
// too many.
uint64_t Evaluator::Impl::NextJournalNumber() {
  size_t own = 0;
  std::optional<JournalRecord> oldest;
  std::optional<JournalPlace> next = JournalPlace();
  while (next.has_value()) {
    for (JournalRecord& record : ListJournal(view.store(), *next, &next)) {
      last_journal = std::max(last_journal, record.number);
      if (record.writer != options.self) continue;
      ++own;
      if (!oldest.has_value() || record.number < oldest->number) oldest = std::move(record);
    }
  }
  if (own >= kJournalMax) {
    std::string key = JournalKey(options.self, oldest->id);
    if (const std::optional<Row> row = view.Find(key); row.has_value() && !row->deleted) {
      Delete(std::move(key), {{}, row->stamp.version + 1});
    }
  }
  return ++last_journal;
}

}  // namespace homeport::core
