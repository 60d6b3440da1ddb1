// On disk, keys with their big-endian numbers:
//
//   m                             StoredHead
//   r key                         Row
//   l lease:u64                   StoredLease
//   h revision:u64 index:u16      Row: a change
#include "coordination/store_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "coordination/codec.h"
#include "core/check.h"
#include "core/format.h"

namespace homeport::coordination {

using core::Instant;
using core::Result;
using core::Status;

namespace {

constexpr std::string_view kHeadKey = "m";

std::string NumberKey(char kind, uint64_t number) {
  std::string key(1, kind);
  for (int shift = 56; shift >= 0; shift -= 8) key += static_cast<char>(number >> shift);
  return key;
}
std::string RowKey(std::string_view key) {
  return std::string("r").append(key);
}
std::string LeaseKey(LeaseId lease) {
  return NumberKey('l', lease.value());
}
std::string ChangeKey(Revision revision, uint16_t index) {
  std::string key = NumberKey('h', revision.value());
  key += static_cast<char>(index >> 8);
  key += static_cast<char>(index);
  return key;
}
uint64_t NumberIn(std::string_view key, size_t at) {
  uint64_t number = 0;
  for (size_t i = at; i < at + 8; ++i) number = number << 8 | static_cast<unsigned char>(key[i]);
  return number;
}

uint64_t BytesOf(const Row& row) {
  return row.key.size() + row.value.size();
}

// Calls each(key without its kind, value) until it fails.
template <class Each>
Status ScanKind(const core::StoreView& view, std::string_view kind, const Each& each) {
  Status status;
  view.Scan(kind, core::PrefixEnd(kind), [&](std::string_view key, std::string_view value) {
    status = each(key.substr(1), value);
    return status.ok();
  });
  return status;
}

Status Gone(LeaseId lease) {
  return Status::Refused(
      fmt::format("there is no lease {:x}: it ended, take a new one", lease.value()));
}

}  // namespace

core::WriteBatch StoreMachine::Format(const std::string& cluster, LeaseId before_leases) {
  core::WriteBatch batch;
  batch.Put(std::string(kHeadKey), EncodeHead({cluster, Revision(0), before_leases}));
  return batch;
}

Result<std::unique_ptr<StoreMachine>> StoreMachine::Open(MachineOptions options,
                                                         const core::StoreView& view, Instant now) {
  std::unique_ptr<StoreMachine> machine(new StoreMachine(std::move(options)));
  RETURN_IF_ERROR(machine->Read(view, now));
  return machine;
}

Status StoreMachine::Read(const core::StoreView& view, Instant now) {
  const auto bytes = view.Get(kHeadKey);
  if (!bytes) return Status::Unavailable("there is no coordination store here");
  ASSIGN_OR_RETURN(const StoredHead head, DecodeHead(*bytes));
  if (head.cluster != options_.cluster) {
    return Status::BadRequest(fmt::format("this is the coordination store of cluster {}, not of {}",
                                          head.cluster, options_.cluster));
  }
  revision_ = head.revision;
  last_lease_ = head.last_lease;
  RETURN_IF_ERROR(ScanKind(view, "l", [&](std::string_view key, std::string_view value) -> Status {
    if (key.size() != 8) return Status::Corrupt("a lease's key has another size");
    ASSIGN_OR_RETURN(const auto ttl, DecodeTtl(value));
    leases_[LeaseId(NumberIn(key, 0))] = {ttl, now + ttl};
    return {};
  }));
  RETURN_IF_ERROR(ReadRows(view));
  return ReadChanges(view);
}

Status StoreMachine::ReadRows(const core::StoreView& view) {
  return ScanKind(view, "r", [&](std::string_view key, std::string_view value) -> Status {
    ASSIGN_OR_RETURN(Change read, DecodeChange(value));
    Row& row = read.row;
    const bool leased = row.lease == LeaseId(0) || leases_.contains(row.lease);
    if (row.key != key || row.revision > revision_ || read.deleted || !leased) {
      return Status::Corrupt(fmt::format("the row {} does not fit the rest of the store", row.key));
    }
    bytes_ += BytesOf(row);
    rows_.emplace(row.key, std::move(row));
    return {};
  });
}

Status StoreMachine::ReadChanges(const core::StoreView& view) {
  RETURN_IF_ERROR(ScanKind(view, "h", [&](std::string_view key, std::string_view value) -> Status {
    ASSIGN_OR_RETURN(Change change, DecodeChange(value));
    if (key.size() != 10 || Revision(NumberIn(key, 0)) != change.row.revision ||
        change.row.revision > revision_) {
      return Status::Corrupt(
          fmt::format("the change {} does not fit the rest of the store", change.row.revision));
    }
    changes_bytes_ += BytesOf(change.row);
    changes_.push_back(std::move(change));
    return {};
  }));
  compacted_ = changes_.empty() ? revision_ : changes_.front().row.revision - 1;
  return {};
}

void StoreMachine::Step(Instant now, const Caller& caller, const Request& request, Output* output) {
  CHECK(CheckRequest(request).ok(), "a request is checked before it is carried out");
  // Asked again while its first waits: that one keeps its place and the end of its wait.
  if (std::holds_alternative<Watch>(request) && IsWaiting(caller)) return;
  std::optional<Answer> answer = std::visit(
      [&](const auto& one) -> std::optional<Answer> { return Run(now, one, output); }, request);
  if (const auto* watch = std::get_if<Watch>(&request); watch != nullptr && !answer) {
    return Wait({caller, *watch, now + watch->wait}, output);
  }
  Tell(caller, std::move(*answer), output);
  AnswerWatches(output);
}

bool StoreMachine::IsWaiting(const Caller& caller) const {
  return std::any_of(waiting_.begin(), waiting_.end(),
                     [&](const Waiting& one) { return one.caller == caller; });
}

void StoreMachine::Tell(const Caller& to, Answer answer, Output* output) {
  const auto add = [&](const Row& row) { output->reply_bytes += BytesOf(row); };
  if (const auto* rows = std::get_if<Rows>(&answer)) {
    std::for_each(rows->rows.begin(), rows->rows.end(), add);
  } else if (const auto* compared = std::get_if<Compared>(&answer)) {
    std::for_each(compared->rows.begin(), compared->rows.end(), add);
  } else if (const auto* changes = std::get_if<Changes>(&answer)) {
    for (const Change& change : changes->changes) add(change.row);
  }
  output->replies.push_back({to, std::move(answer)});
}

Answer StoreMachine::Run(Instant, const Get& get, Output*) {
  Rows rows{revision_, {}, false};
  const auto row = rows_.find(get.key);
  if (row != rows_.end()) rows.rows.push_back(row->second);
  return rows;
}

Answer StoreMachine::Run(Instant, const List& list, Output*) {
  Rows rows{revision_, {}, false};
  uint64_t bytes = 0;
  auto row =
      list.after < list.prefix ? rows_.lower_bound(list.prefix) : rows_.upper_bound(list.after);
  for (; row != rows_.end() && row->first.starts_with(list.prefix); ++row) {
    if (rows.rows.size() == kRowsPerListMax || bytes >= kListBytesMax) {
      rows.more = true;
      break;
    }
    bytes += BytesOf(row->second);
    rows.rows.push_back(row->second);
  }
  return rows;
}

bool StoreMachine::Holds(const Term& term) const {
  const auto row = rows_.find(term.key);
  return term.expected == (row == rows_.end() ? Revision(0) : row->second.revision);
}

// That its leases are there and its rows have room.
Status StoreMachine::CheckWrites(const CompareAndSet& set) const {
  size_t rows = rows_.size();
  uint64_t bytes = bytes_;
  for (const Term& term : set.terms) {
    if (!term.write) continue;
    if (const auto old = rows_.find(term.key); old != rows_.end()) {
      --rows;
      bytes -= BytesOf(old->second);
    }
    if (!term.write->value) continue;
    if (term.write->lease != LeaseId(0) && !leases_.contains(term.write->lease)) {
      return Gone(term.write->lease);
    }
    ++rows;
    bytes += term.key.size() + term.write->value->size();
  }
  if (rows <= options_.rows_max && bytes <= options_.bytes_max) return {};
  return Status::Refused(
      fmt::format("the coordination store is full: it has {} rows of {} bytes, and takes {} of {}",
                  rows_.size(), bytes_, options_.rows_max, options_.bytes_max));
}

// Its rows were compared and differ: because it was carried out before, or because they do.
Compared StoreMachine::NotDone(const CompareAndSet& set) const {
  Compared compared{false, revision_, {}};
  for (const Term& term : set.terms) {
    const auto row = rows_.find(term.key);
    if (row == rows_.end()) continue;
    if (row->second.token == set.token) return {true, row->second.revision, {}};
    compared.rows.push_back(row->second);
  }
  return compared;
}

Answer StoreMachine::Run(Instant, const CompareAndSet& set, Output* output) {
  const bool holds = std::all_of(set.terms.begin(), set.terms.end(),
                                 [&](const Term& term) { return Holds(term); });
  if (!holds) return NotDone(set);
  if (const Status status = CheckWrites(set); !status.ok()) return status;
  const bool writes = std::any_of(set.terms.begin(), set.terms.end(),
                                  [](const Term& term) { return term.write.has_value(); });
  if (!writes) return Compared{true, revision_, {}};
  NextRevision(output);
  for (const Term& term : set.terms) {
    if (!term.write) continue;
    if (term.write->value) {
      Put({term.key, *term.write->value, revision_, set.token, term.write->lease}, output);
    } else {
      Delete(term.key, output);
    }
  }
  Forget(output);
  return Compared{true, revision_, {}};
}

Answer StoreMachine::Run(Instant now, const GrantLease& grant, Output* output) {
  if (leases_.size() >= options_.leases_max) {
    return Status::Overloaded(
        1000, fmt::format("there are {} leases: wait until some have ended", leases_.size()));
  }
  ++last_lease_;
  leases_[last_lease_] = {grant.ttl, now + grant.ttl};
  output->batch.Put(LeaseKey(last_lease_), EncodeTtl(grant.ttl));
  WriteHead(output);
  return Leased{last_lease_, grant.ttl};
}

Answer StoreMachine::Run(Instant now, const KeepAlive& keep, Output*) {
  const auto lease = leases_.find(keep.lease);
  if (lease == leases_.end()) return Gone(keep.lease);
  lease->second.ends = now + lease->second.ttl;
  return Leased{keep.lease, lease->second.ttl};
}

Answer StoreMachine::Run(Instant, const EndLease& end, Output* output) {
  if (leases_.contains(end.lease)) RemoveLease(end.lease, output);
  return LeaseEnded{};
}

Answer StoreMachine::Run(Instant, const AskStatus&, Output*) {
  return Describe();
}

StoreStatus StoreMachine::Describe() const {
  StoreStatus status;
  status.kind = "embedded";
  status.revision = revision_;
  status.rows = rows_.size();
  status.leases = leases_.size();
  return status;
}

void StoreMachine::NextRevision(Output* output) {
  ++revision_;
  in_revision_ = 0;
  WriteHead(output);
}

void StoreMachine::WriteHead(Output* output) const {
  output->batch.Put(std::string(kHeadKey), EncodeHead({options_.cluster, revision_, last_lease_}));
}

void StoreMachine::Put(Row row, Output* output) {
  Row& place = rows_[row.key];
  bytes_ += BytesOf(row);
  if (place.revision != Revision(0)) bytes_ -= BytesOf(place);
  place = std::move(row);
  output->batch.Put(RowKey(place.key), EncodeChange({place, false}));
  Remember({place, false}, output);
}

void StoreMachine::Delete(const std::string& key, Output* output) {
  const auto row = rows_.find(key);
  CHECK(row != rows_.end(), "what is deleted was compared", key);
  Row gone;
  gone.key = key;
  gone.revision = revision_;
  bytes_ -= BytesOf(row->second);
  rows_.erase(row);
  output->batch.Delete(RowKey(gone.key));
  Remember({std::move(gone), true}, output);
}

void StoreMachine::Remember(Change change, Output* output) {
  output->batch.Put(ChangeKey(revision_, in_revision_++), EncodeChange(change));
  changes_bytes_ += BytesOf(change.row);
  changes_.push_back(std::move(change));
}

// Whole revisions, the oldest first.
void StoreMachine::Forget(Output* output) {
  const auto over = [&] {
    return changes_.size() > options_.changes_max || changes_bytes_ > options_.changes_bytes_max;
  };
  while (over() && changes_.front().row.revision < revision_) {
    compacted_ = changes_.front().row.revision;
    for (uint16_t index = 0; !changes_.empty() && changes_.front().row.revision == compacted_;
         ++index) {
      output->batch.Delete(ChangeKey(compacted_, index));
      changes_bytes_ -= BytesOf(changes_.front().row);
      changes_.pop_front();
    }
  }
}

void StoreMachine::RemoveLease(LeaseId id, Output* output) {
  leases_.erase(id);
  output->batch.Delete(LeaseKey(id));
  std::vector<std::string> keys;
  for (const auto& [key, row] : rows_) {
    if (row.lease == id) keys.push_back(key);
  }
  if (keys.empty()) return;
  NextRevision(output);
  for (const std::string& key : keys) Delete(key, output);
  Forget(output);
}

// ---- watches

void StoreMachine::Wait(Waiting waiting, Output* output) {
  if (waiting_.size() >= options_.waiting_max) {
    return Tell(waiting.caller, Status::Overloaded(1000, "too many wait for changes"), output);
  }
  // All before is not of its prefix.
  waiting.watch.from = std::max(waiting.watch.from, revision_ + 1);
  waiting_.push_back(std::move(waiting));
}

std::optional<Answer> StoreMachine::Run(Instant, const Watch& watch, Output*) const {
  if (watch.from <= compacted_) {
    return Status::Trimmed(
        core::Seq(compacted_.value() + 1),
        fmt::format("changes before revision {} are not kept: list again", compacted_ + 1));
  }
  if (watch.from > revision_ + 1) {
    return Status::Refused(
        fmt::format("revision {} was seen and the store is at {}: its directory was put back from "
                    "an old copy",
                    watch.from - 1, revision_));
  }
  Changes found;
  found.next = revision_ + 1;
  uint64_t bytes = 0;
  const auto first = std::lower_bound(
      changes_.begin(), changes_.end(), watch.from,
      [](const Change& change, Revision from) { return change.row.revision < from; });
  for (auto change = first; change != changes_.end(); ++change) {
    const bool next_revision =
        !found.changes.empty() && change->row.revision != found.changes.back().row.revision;
    if (next_revision && (bytes >= kListBytesMax || found.changes.size() >= kRowsPerListMax)) {
      found.next = change->row.revision;
      break;
    }
    if (!change->row.key.starts_with(watch.prefix)) continue;
    bytes += BytesOf(change->row);
    found.changes.push_back(*change);
  }
  if (found.changes.empty()) return std::nullopt;
  return Answer(std::move(found));
}

void StoreMachine::AnswerWatches(Output* output) {
  std::vector<Waiting> still;
  for (Waiting& waiting : waiting_) {
    if (IsDue(waiting) && output->reply_bytes < options_.reply_bytes_per_output) {
      if (auto answer = Run(Instant(), waiting.watch, nullptr)) {
        Tell(waiting.caller, std::move(*answer), output);
        continue;
      }
      waiting.watch.from = revision_ + 1;  // all before is not of its prefix
    }
    still.push_back(std::move(waiting));
  }
  waiting_ = std::move(still);
}

void StoreMachine::Tick(Instant now, Output* output) {
  std::vector<LeaseId> over;
  for (const auto& [id, lease] : leases_) {
    if (lease.ends <= now) over.push_back(id);
  }
  for (const LeaseId id : over) RemoveLease(id, output);
  AnswerWatches(output);
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    if (waiting.until > now || IsDue(waiting)) return false;
    Tell(waiting.caller, Changes{{}, revision_ + 1}, output);
    return true;
  });
}

std::optional<Instant> StoreMachine::NextDeadline() const {
  std::optional<Instant> next;
  const auto at = [&](Instant when) { next = next ? std::min(*next, when) : when; };
  for (const auto& [id, lease] : leases_) at(lease.ends);
  for (const Waiting& waiting : waiting_) at(IsDue(waiting) ? Instant() : waiting.until);
  return next;
}

}  // namespace homeport::coordination
