#include "core/messaging/draft.h"

#include <algorithm>

#include "core/check.h"
#include "core/codec.h"
#include "core/messaging/row_codec.h"

namespace homeport::core {
namespace {

// What a list element or struct costs around its bytes, rounded up: an estimate may be too high,
// not too low.
constexpr uint64_t kEntryBytes = 128;
constexpr uint64_t kRowBytes = 80;
constexpr uint64_t kTrimBytes = 96;
constexpr uint64_t kIntentBytes = 192;
constexpr uint64_t kTargetBytes = 40;
constexpr uint64_t kConsumedBytes = 32;
constexpr uint64_t kNumberBytes = 8;
constexpr uint64_t kReportBytes = 64;
constexpr uint64_t kPositionBytes = 24;
constexpr uint64_t kAwayBytes = 32;

}  // namespace

uint64_t Draft::bytes() const {
  return empty() ? 0 : bytes_ + kEntryBytes;
}

void Draft::AddRow(Row row) {
  bytes_ += kRowBytes + row.key.size() + row.value.size();
  rows_.push_back(std::move(row));
}

void Draft::Put(std::string key, const Stamp& stamp, std::string value) {
  AddRow({std::move(key), stamp, false, std::move(value)});
}

void Draft::Delete(std::string key, const Stamp& stamp) {
  AddRow({std::move(key), stamp, true, {}});
}

void Draft::Fanout(std::string item, MastershipEpoch epoch, std::vector<Uin> users,
                   std::vector<uint64_t> versions) {
  CHECK(users.size() == versions.size(), "each copy has its version", users.size());
  bytes_ += kRowBytes + item.size() + 2 * kNumberBytes * users.size();
  copies_.push_back({std::move(item), epoch, std::move(users), std::move(versions)});
}

void Draft::TrimInbox(Uin user, const Stamp& from, const Stamp& through) {
  bytes_ += kTrimBytes;
  trims_.push_back({user, from, through});
}

void Draft::TrimGroup(Uin group, uint64_t from, uint64_t through) {
  bytes_ += kTrimBytes;
  trims_.push_back({group, {{}, Version(from)}, {{}, Version(through)}, true});
}

void Draft::AddIntent(Intent intent, std::vector<Target> targets) {
  bytes_ += kIntentBytes + intent.message.body.size() + intent.contact.text.size();
  for (const Target& target : targets) bytes_ += kTargetBytes + kNumberBytes * target.users.size();
  intents_.push_back({std::move(intent), std::move(targets)});
}

void Draft::Consumed(Incarnation role, StreamId source, const Cursor& cursor) {
  const auto [at, added] = consumed_.try_emplace({role, source}, cursor);
  if (added) bytes_ += kConsumedBytes;
  at->second = std::max(at->second, cursor);
}

void Draft::RaiseIdsThrough(uint64_t ids_through) {
  if (ids_through_ == 0) bytes_ += kNumberBytes;
  ids_through_ = std::max(ids_through_, ids_through);
}

void Draft::SetReport(Report report) {
  CHECK(!report_.has_value(), "an entry has one report");
  bytes_ +=
      kReportBytes + kPositionBytes * report.positions.size() + kAwayBytes * report.away.size();
  report_ = std::move(report);
}

std::string Draft::Encode() const {
  // One segment that holds it all: one allocation, one copy.
  capnp::MallocMessageBuilder message(static_cast<unsigned>((bytes_ + kEntryBytes) / 8 + 1));
  auto entry = message.initRoot<wire::Entry>();
  entry.setVersion(kEntryVersion);
  entry.setWrittenAtMs(now_.count());
  entry.setIdsThrough(ids_through_);

  auto effects =
      entry.initEffects(static_cast<unsigned>(rows_.size() + copies_.size() + trims_.size()));
  unsigned next = 0;
  for (const Row& row : rows_) {
    auto put = effects[next++].initPut();
    put.setKey(Data(row.key));
    FillStamp(row.stamp, put.initStamp());
    put.setDeleted(row.deleted);
    put.setValue(Data(row.value));
  }
  for (const Copies& copies : copies_) {
    auto fanout = effects[next++].initFanout();
    fanout.setItem(Data(copies.item));
    fanout.setTakeover(copies.epoch.takeover);
    fanout.setMove(copies.epoch.move);
    auto users = fanout.initUsers(static_cast<unsigned>(copies.users.size()));
    for (unsigned i = 0; i < users.size(); ++i) users.set(i, copies.users[i].value());
    auto versions = fanout.initVersions(static_cast<unsigned>(copies.versions.size()));
    for (unsigned i = 0; i < versions.size(); ++i) versions.set(i, copies.versions[i]);
  }

  for (const Trim& trim : trims_) {
    auto out = effects[next++].initTrimInbox();
    out.setUser(trim.user.value());
    FillStamp(trim.from, out.initFrom());
    FillStamp(trim.through, out.initThrough());
    out.setOfGroup(trim.of_group);
  }

  auto intents = entry.initIntents(static_cast<unsigned>(intents_.size()));
  for (unsigned i = 0; i < intents.size(); ++i) {
    FillIntent(intents_[i].intent, intents[i]);
    auto targets = intents[i].initTargets(static_cast<unsigned>(intents_[i].targets.size()));
    for (unsigned t = 0; t < targets.size(); ++t) FillTarget(intents_[i].targets[t], targets[t]);
  }

  auto consumed = entry.initConsumed(static_cast<unsigned>(consumed_.size()));
  next = 0;
  for (const auto& [from, cursor] : consumed_) {
    auto out = consumed[next++];
    out.setRole(from.first.value());
    out.setStream(from.second.value());
    out.setSeq(cursor.seq.value());
    out.setIndex(cursor.index);
  }
  if (report_.has_value()) FillReport(*report_, entry.initReport());
  return FlatBytes(message);
}

}  // namespace homeport::core
