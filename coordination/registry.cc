#include "coordination/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "coordination/coordination.capnp.h"
#include "core/check.h"
#include "core/codec.h"

namespace homeport::coordination {

using core::Incarnation;
using core::Result;
using core::Status;

namespace {

constexpr size_t kRegionBytesMax = 16;
constexpr uint64_t kIncarnationMax = std::numeric_limits<uint16_t>::max();
// Of a writer epoch's counter (docs/formats.md).
constexpr uint64_t kEpochCounterMax = (uint64_t{1} << 40) - 1;

Status CheckVersion(uint16_t version) {
  if (version == wire::VERSION) return {};
  return Status::Corrupt(
      fmt::format("a record of version {}; this program reads version {}", version, wire::VERSION));
}

// What a row holds that nobody can read is no fault of who asks.
Status Unreadable(const Status& why) {
  return why.ok() ? why : Status::Corrupt(why.message());
}

std::string EncodeNumber(uint64_t number) {
  return core::Encode<wire::NumberRecord>([&](wire::NumberRecord::Builder root) {
    root.setVersion(wire::VERSION);
    root.setNumber(number);
  });
}

// Of a row that may not be there: then 0.
Result<uint64_t> NumberIn(const std::map<std::string, Row>& rows, std::string_view key,
                          uint64_t max) {
  const auto row = rows.find(std::string(key));
  if (row == rows.end()) return uint64_t{0};
  uint64_t number = 0;
  RETURN_IF_ERROR(Unreadable(core::Decode<wire::NumberRecord>(
      row->second.value, [&](wire::NumberRecord::Reader root) -> Status {
        number = root.getNumber();
        return CheckVersion(root.getVersion());
      })));
  if (number <= max) return number;
  return Status::Corrupt(fmt::format("the row {} has {}; at most {}", key, number, max));
}

std::string NumberedKey(std::string_view prefix, Incarnation number) {
  return fmt::format("{}{:05}", prefix, number.value());
}

bool IsRegion(std::string_view region) {
  return IsKey(region) && region.size() <= kRegionBytesMax;
}

}  // namespace

std::string_view StateName(IncarnationState state) {
  switch (state) {
    case IncarnationState::kLive:
      return "live";
    case IncarnationState::kRetired:
      return "retired";
    case IncarnationState::kDead:
      return "dead";
  }
  return "unknown";
}

std::string IncarnationKey(Incarnation number) {
  return NumberedKey(kIncarnationsPrefix, number);
}
std::string LeaseKey(Incarnation number) {
  return fmt::format("leases/{:05}", number.value());
}
std::string EpochsKey(Incarnation number) {
  return NumberedKey("epochs/", number);
}

std::string EncodeIncarnation(const IncarnationRecord& record) {
  return core::Encode<wire::IncarnationRecord>([&](wire::IncarnationRecord::Builder root) {
    root.setVersion(wire::VERSION);
    root.setNumber(record.number.value());
    root.setRegion(record.region.c_str());
    root.setState(static_cast<uint8_t>(record.state));
    root.setSinceMs(record.since.count());
  });
}

Result<IncarnationRecord> DecodeIncarnation(std::string_view bytes) {
  IncarnationRecord record;
  RETURN_IF_ERROR(Unreadable(core::Decode<wire::IncarnationRecord>(
      bytes, [&](wire::IncarnationRecord::Reader root) -> Status {
        if (const Status version = CheckVersion(root.getVersion()); !version.ok()) return version;
        record.number = Incarnation(root.getNumber());
        record.region = core::View(root.getRegion());
        record.since = core::WallMs(root.getSinceMs());
        if (root.getState() > static_cast<uint8_t>(IncarnationState::kDead)) {
          return Status::Corrupt("an incarnation in an unknown state");
        }
        record.state = static_cast<IncarnationState>(root.getState());
        if (IsRegion(record.region)) return {};
        return Status::Corrupt("an incarnation is of a region with a name");
      })));
  return record;
}

Result<std::vector<Term>> MarkTerms(const Row& row, IncarnationState state, core::WallMs now) {
  ASSIGN_OR_RETURN(IncarnationRecord record, DecodeIncarnation(row.value));
  if (record.state != IncarnationState::kLive || state == IncarnationState::kLive) {
    return Status::Refused(fmt::format("incarnation {} of {} is {}: it cannot become {}",
                                       record.number.value(), record.region,
                                       StateName(record.state), StateName(state)));
  }
  record.state = state;
  record.since = now;
  std::vector<Term> terms = {
      Term{row.key, row.revision, Write{EncodeIncarnation(record), LeaseId(0)}}};
  if (state == IncarnationState::kDead) {
    terms.push_back(Term{LeaseKey(record.number), Revision(0), std::nullopt});
  }
  return terms;
}

// ---- changes

namespace {

std::vector<std::string> KeysOf(const IncarnationRecord& record, std::vector<std::string> also) {
  also.emplace_back(kIncarnationCounterKey);
  also.push_back(IncarnationKey(record.number));
  return also;
}

}  // namespace

RegisterIncarnation::RegisterIncarnation(IncarnationRecord record,
                                         const std::vector<std::string>& also, Token token)
    : RecordChange(KeysOf(record, also), token), record_(std::move(record)) {
  CHECK(record_.number != Incarnation(0) && IsRegion(record_.region),
        "an incarnation has a number and a region");
}

bool RegisterIncarnation::must_not_serve() const {
  if (!decided_against()) return false;
  const core::Code code = result()->code();
  return code == core::Code::kFenced || code == core::Code::kBadRequest;
}

RecordChange::Decision RegisterIncarnation::Decide(const Rows& rows) {
  const std::string key = IncarnationKey(record_.number);
  if (const auto row = rows.find(key); row != rows.end()) {
    const auto known = DecodeIncarnation(row->second.value);
    if (!known.ok()) return known.status();
    if (known->region != record_.region) {
      return Status::BadRequest(fmt::format("incarnation {} is of region {}, not of {}",
                                            record_.number.value(), known->region, record_.region));
    }
    if (known->state != IncarnationState::kLive) {
      return Status::Fenced(fmt::format(
          "incarnation {} of {} is {}: its region comes back as a new one, with another number",
          record_.number.value(), record_.region, StateName(known->state)));
    }
    return std::monostate();
  }
  const auto last = NumberIn(rows, kIncarnationCounterKey, kIncarnationMax);
  if (!last.ok()) return last.status();
  const uint64_t highest = std::max<uint64_t>(*last, record_.number.value());
  return std::vector<Term>{
      WriteTerm(rows, std::string(kIncarnationCounterKey), EncodeNumber(highest)),
      WriteTerm(rows, key, EncodeIncarnation(record_))};
}

ClaimIncarnation::ClaimIncarnation(std::string region, core::WallMs now, Token token)
    : RecordChange({std::string(kIncarnationCounterKey)}, token),
      region_(std::move(region)),
      now_(now) {
  CHECK(IsRegion(region_), "an incarnation has a region");
}

RecordChange::Decision ClaimIncarnation::Decide(const Rows& rows) {
  const auto last = NumberIn(rows, kIncarnationCounterKey, kIncarnationMax);
  if (!last.ok()) return last.status();
  if (*last == kIncarnationMax) {
    return Status::Refused(fmt::format("all {} numbers of incarnations are given", *last));
  }
  number_ = Incarnation(static_cast<uint16_t>(*last + 1));
  return std::vector<Term>{
      WriteTerm(rows, std::string(kIncarnationCounterKey), EncodeNumber(number_.value())),
      WriteTerm(rows, IncarnationKey(number_),
                EncodeIncarnation({number_, region_, IncarnationState::kLive, now_}))};
}

ReserveEpochs::ReserveEpochs(Incarnation incarnation, uint64_t above, Token token)
    : RecordChange({EpochsKey(incarnation)}, token), key_(EpochsKey(incarnation)), above_(above) {}

RecordChange::Decision ReserveEpochs::Decide(const Rows& rows) {
  const auto through = NumberIn(rows, key_, kEpochCounterMax);
  if (!through.ok()) return through.status();
  const uint64_t below = std::max(*through, above_);
  if (below > kEpochCounterMax - kEpochBlock) {
    return Status::Refused(fmt::format("writer epochs run out: {} are given", below));
  }
  first_ = below + 1;
  return std::vector<Term>{WriteTerm(rows, key_, EncodeNumber(last()))};
}

}  // namespace homeport::coordination
