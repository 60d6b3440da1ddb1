#include "core/messaging/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/codec.h"
#include "core/config.h"
#include "core/messaging/commands.h"
#include "core/messaging/keys.h"
#include "core/messaging/row_codec.h"
#include "core/messaging/rows.h"
#include "core/text.h"

namespace homeport::core {
namespace {

constexpr size_t kWordMax = 32;  // of a kind, or the name of a count
constexpr std::string_view kOrderNames[] = {"", "drain", "block"};
constexpr std::string_view kJournalStateNames[] = {"running", "done", "stopped", "failed"};

Status TooLong(std::string_view what, size_t most) {
  return Status::TooLarge(most, fmt::format("{} has at most {} bytes", what, most));
}

}  // namespace

// ---- orders

std::string_view OrderName(RegionOrder order) {
  return kOrderNames[static_cast<size_t>(order)];
}

bool RegionState::SameOrder(const RegionState& other) const {
  return std::tie(region, order, on, number, by, at_ms, to) ==
         std::tie(other.region, other.order, other.on, other.number, other.by, other.at_ms,
                  other.to);
}

bool RegionState::IsBefore(const RegionState& other) const {
  return std::tie(number, writer) < std::tie(other.number, other.writer);
}

Status CheckRegionState(const RegionState& state) {
  if (state.by.size() > kLabelBytesMax) return TooLong("the name of who orders", kLabelBytesMax);
  if (state.number == 0 || state.number == UINT64_MAX) {
    return Status::BadRequest("orders are numbered from 1 on");
  }
  if (state.to.size() > kRegionsMax) {
    return Status::TooLarge(kRegionsMax, "more new homes than a cluster has regions");
  }
  return {};
}

std::string DescribeState(const RegionState& state, const std::string& name,
                          const std::string& to) {
  std::string what = "is blocked";
  if (state.order == RegionOrder::kDrain) what = "is drained";
  if (!state.on) what = state.order == RegionOrder::kDrain ? "was undrained" : "was unblocked";
  const std::string where = state.on && !to.empty() ? " to " + to : "";
  return fmt::format("{} {}{} by {} at {}", name, what, where, state.by, FormatTime(state.at_ms));
}

std::string EncodeRegionState(const RegionState& state) {
  return Encode<wire::RegionState>([&](wire::RegionState::Builder out) {
    out.setVersion(kRowVersion);
    out.setRegion(state.region.value());
    out.setOrder(static_cast<uint8_t>(state.order));
    out.setOn(state.on);
    out.setNumber(state.number);
    out.setBy(Data(state.by));
    out.setAtMs(state.at_ms);
    auto to = out.initTo(static_cast<unsigned>(state.to.size()));
    for (unsigned i = 0; i < to.size(); ++i) to.set(i, state.to[i].value());
    out.setWriter(state.writer.value());
  });
}

std::optional<RegionState> DecodeRegionState(std::string_view bytes) {
  return DecodeValue<wire::RegionState, RegionState>(bytes, [](auto in, auto* out) -> Status {
    const uint8_t order = in.getOrder();
    if (order < 1 || order > 2) return Status::BadRequest("no such order of a region");
    out->region = Incarnation(in.getRegion());
    out->order = static_cast<RegionOrder>(order);
    out->on = in.getOn();
    out->number = in.getNumber();
    out->by = View(in.getBy());
    out->at_ms = in.getAtMs();
    for (const uint16_t to : in.getTo()) out->to.emplace_back(to);
    out->writer = Incarnation(in.getWriter());
    return {};
  });
}

void MergeState(RegionState state, std::vector<RegionState>* states) {
  const auto key = [](const RegionState& one) { return std::pair(one.region, one.order); };
  const auto at =
      std::lower_bound(states->begin(), states->end(), state,
                       [&](const RegionState& a, const RegionState& b) { return key(a) < key(b); });
  if (at == states->end() || key(*at) != key(state)) {
    states->insert(at, std::move(state));
  } else if (at->IsBefore(state)) {
    *at = std::move(state);
  }
}

std::vector<RegionState> LoadRegionStates(const StoreView& store) {
  std::vector<RegionState> states;
  const std::string prefix = TablePrefix(ShardId(0), Table::kRegionState);
  store.Scan(prefix, PrefixEnd(prefix), [&](std::string_view, std::string_view value) {
    const std::optional<Row> row = DecodeRow(value);
    if (!row.has_value() || row->deleted) return true;
    if (auto state = DecodeRegionState(row->value)) MergeState(std::move(*state), &states);
    return true;
  });
  return states;
}

const RegionState* FindState(const std::vector<RegionState>& states, Incarnation region,
                             RegionOrder order) {
  const auto at = std::find_if(states.begin(), states.end(), [&](const RegionState& state) {
    return state.region == region && state.order == order;
  });
  return at == states.end() ? nullptr : &*at;
}

// ---- the journal

std::string_view JournalStateName(JournalState state) {
  return kJournalStateNames[static_cast<size_t>(state)];
}

Status CheckJournal(const JournalRecord& record) {
  if (record.id == 0) return Status::BadRequest("a record of the journal has an id");
  if (record.kind.empty() || record.kind.size() > kWordMax) {
    return TooLong("the kind of a record of the journal", kWordMax);
  }
  if (record.what.size() > kJournalWhatMax) {
    return TooLong("what a record of the journal says", kJournalWhatMax);
  }
  if (record.by.size() > kLabelBytesMax || record.program.size() > kLabelBytesMax) {
    return TooLong("the name of who asks", kLabelBytesMax);
  }
  if (record.counts.size() > kJournalCountsMax || record.lines.size() > kJournalLinesMax) {
    return Status::TooLarge(
        kJournalLinesMax, fmt::format("a record of the journal has at most {} counts and {} lines",
                                      kJournalCountsMax, kJournalLinesMax));
  }
  for (const JournalCount& count : record.counts) {
    if (count.name.size() > kWordMax) return TooLong("the name of a count", kWordMax);
  }
  for (const std::string& line : record.lines) {
    if (line.size() > kJournalWhatMax) return TooLong("a line of the journal", kJournalWhatMax);
  }
  return {};
}

std::string EncodeJournal(const JournalRecord& record) {
  return Encode<wire::JournalRecord>([&](wire::JournalRecord::Builder out) {
    out.setVersion(kRowVersion);
    out.setId(record.id);
    out.setNumber(record.number);
    out.setWriter(record.writer.value());
    out.setKind(Data(record.kind));
    out.setWhat(Data(record.what));
    out.setBy(Data(record.by));
    out.setProgram(Data(record.program));
    out.setRegion(record.region.value());
    out.setBegunAtMs(record.begun_at_ms);
    out.setChangedAtMs(record.changed_at_ms);
    out.setState(static_cast<uint8_t>(record.state));
    auto counts = out.initCounts(static_cast<unsigned>(record.counts.size()));
    for (unsigned i = 0; i < counts.size(); ++i) {
      counts[i].setName(Data(record.counts[i].name));
      counts[i].setCount(record.counts[i].count);
    }
    auto lines = out.initLines(static_cast<unsigned>(record.lines.size()));
    for (unsigned i = 0; i < lines.size(); ++i) lines.set(i, Data(record.lines[i]));
  });
}

std::optional<JournalRecord> DecodeJournal(std::string_view bytes) {
  return DecodeValue<wire::JournalRecord, JournalRecord>(bytes, [](auto in, auto* out) -> Status {
    if (in.getState() > static_cast<uint8_t>(JournalState::kFailed)) {
      return Status::BadRequest("no such state of a record of the journal");
    }
    out->id = in.getId();
    out->number = in.getNumber();
    out->writer = Incarnation(in.getWriter());
    out->kind = View(in.getKind());
    out->what = View(in.getWhat());
    out->by = View(in.getBy());
    out->program = View(in.getProgram());
    out->region = Incarnation(in.getRegion());
    out->begun_at_ms = in.getBegunAtMs();
    out->changed_at_ms = in.getChangedAtMs();
    out->state = static_cast<JournalState>(in.getState());
    for (const auto count : in.getCounts()) {
      out->counts.push_back({std::string(View(count.getName())), count.getCount()});
    }
    for (const auto line : in.getLines()) out->lines.emplace_back(View(line));
    return {};
  });
}

std::vector<JournalRecord> ListJournal(const StoreView& store, JournalPlace after,
                                       std::optional<JournalPlace>* next) {
  std::vector<JournalRecord> records;
  next->reset();
  store.Scan(JournalKey(after.writer, after.id) + '\0',
             PrefixEnd(TablePrefix(ShardId(0), Table::kJournal)),
             [&](std::string_view, std::string_view value) {
               const std::optional<Row> row = DecodeRow(value);
               if (!row.has_value() || row->deleted) return true;
               auto record = DecodeJournal(row->value);
               if (!record.has_value()) return true;
               if (records.size() >= kJournalPageMax) {
                 *next = JournalPlace{records.back().writer, records.back().id};
                 return false;
               }
               records.push_back(std::move(*record));
               return true;
             });
  return records;
}

}  // namespace homeport::core
