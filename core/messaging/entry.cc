#include "core/messaging/entry.h"

#include <xxhash.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "core/check.h"
#include "core/codec.h"
#include "core/config.h"
#include "core/messaging/intents.h"
#include "core/messaging/keys.h"
#include "core/messaging/outruns.h"
#include "core/messaging/row_codec.h"
#include "core/messaging/rows.h"
#include "core/messaging/user_end.h"
#include "core/messaging/user_rows.h"

namespace homeport::core {
namespace {

// A cursor's row: seq u64, index u32, big-endian.
std::string EncodeCursor(const Cursor& cursor) {
  std::string bytes = EncodeNumber(cursor.seq.value());
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(cursor.index >> shift));
  }
  return bytes;
}
Cursor DecodeCursor(std::string_view bytes) {
  CHECK(bytes.size() == 12, "only ApplyEntry writes cursors, and in this format", bytes.size());
  uint64_t seq = 0;
  for (const char c : bytes.substr(0, 8)) seq = seq << 8 | static_cast<uint8_t>(c);
  uint32_t index = 0;
  for (const char c : bytes.substr(8)) index = index << 8 | static_cast<uint8_t>(c);
  return {Seq(seq), index};
}

// Applies one decoded entry: effects, then cursors, then intents.
class Applier {
 public:
  Applier(const StoreView& store, const ApplyContext& context, StreamId stream, Seq seq,
          WriteBatch* batch, ApplySummary* summary)
      : store_(store),
        context_(context),
        stream_(stream),
        seq_(seq),
        batch_(batch),
        summary_(summary),
        outruns_(store, stream.shard(), batch) {}

  Status Apply(wire::Entry::Reader entry) {
    if (entry.getVersion() != kEntryVersion) return Status::Corrupt("entry of an unknown version");
    summary_->written_at = WallMs(entry.getWrittenAtMs());
    for (const auto effect : entry.getEffects()) {
      switch (effect.which()) {
        case wire::Effect::PUT:
          RETURN_IF_ERROR(ApplyPut(effect.getPut()));
          break;
        case wire::Effect::FANOUT:
          RETURN_IF_ERROR(ApplyFanout(effect.getFanout()));
          break;
        case wire::Effect::TRIM_INBOX:
          RETURN_IF_ERROR(ApplyTrim(effect.getTrimInbox()));
          break;
        default:
          return Status::Corrupt("entry with an unknown kind of effect");
      }
    }
    for (const auto consumed : entry.getConsumed()) ApplyConsumed(consumed);
    uint32_t index = 0;
    for (const auto intent : entry.getIntents()) {
      if (intent.which() > wire::Intent::TELL) return Status::Corrupt("unknown kind of intent");
      for (const auto target : intent.getTargets()) {
        RETURN_IF_ERROR(ApplyTarget(target, intent, index++));
      }
    }
    summary_->work = entry.getEffects().size() > 0 || entry.getIntents().size() > 0 ||
                     entry.getIdsThrough() != 0;
    for (const auto& [user, rows] : ends_) {
      batch_->Put(InboxEndKey(stream_.shard(), user), EncodeUserEnd(rows));
    }
    outruns_.Sweep([this](Uin user) { return HasCaughtUp(user); });
    if (entry.hasReport()) RETURN_IF_ERROR(ApplyReport(entry.getReport()));
    return ApplyIdsThrough(entry.getIdsThrough());
  }

 private:
  Status ApplyPut(wire::Put::Reader put) {
    std::string key(View(put.getKey()));
    const std::optional<Table> table = ReplicatedTableOf(key, stream_.shard());
    if (!table.has_value()) return Status::Corrupt("entry with a key that is none of its shard");
    if (*table == Table::kInbox) {
      if (put.getDeleted()) return Status::Corrupt("entry that deletes an inbox item");
      if (IsLate(key, View(put.getValue()))) {
        ++summary_->stale_rows;
        return {};
      }
      // No look at the store: its stamp is in the key, so what stands there can only be the same.
      summary_->inboxes.push_back(PlaceOfInboxKey(key).user);
      ++summary_->rows;
      batch_->Put(std::move(key), std::string(View(put.getValue())));
      return {};
    }
    if (*table == Table::kGroupMessage && IsTrimmedLate(key)) {
      ++summary_->stale_rows;
      return {};
    }
    const Stamp stamp = ReadStamp(put.getStamp());
    const auto [written, first] = written_.try_emplace(key);
    if (first) written->second = StampOf(key);
    if (written->second.has_value() && stamp <= *written->second) {
      ++summary_->stale_rows;
      return {};
    }
    const std::optional<Stamp> before = std::exchange(written->second, stamp);
    const std::string_view value = View(put.getValue());
    if (*table == Table::kGroupMessage && !put.getDeleted()) NoteSequenced(key, value);
    if (*table == Table::kAccount && !put.getDeleted()) NoteHome(key, value);
    const bool by_change = *table == Table::kContact || *table == Table::kConversation;
    if (by_change) NoteChange(key, before, stamp);
    if (*table == Table::kRecord) NoteRecordChange(key, before, stamp);
    if (by_change || *table == Table::kRecord || *table == Table::kDevice ||
        *table == Table::kAccount) {
      summary_->inboxes.push_back(OwnerOfKey(key));
    }
    ++summary_->rows;
    std::string row = EncodeRow(stamp, put.getDeleted(), value);
    if (*table == Table::kAccount) EndOf(OwnerOfKey(key)).account = row;
    if (*table == Table::kCounters) EndOf(OwnerOfKey(key)).counters = row;
    batch_->Put(std::move(key), std::move(row));
    return {};
  }

  UserRows& EndOf(Uin user) {
    const auto [at, first] = ends_.try_emplace(user);
    if (first) at->second = LoadUserRows(store_, stream_.shard(), user);
    return at->second;
  }

  // A user's rows can be found in the order of their changes.
  void NoteChange(const std::string& key, const std::optional<Stamp>& before, const Stamp& stamp) {
    const Uin user = OwnerOfKey(key);
    if (before.has_value()) batch_->Delete(ChangeKey(stream_.shard(), user, *before));
    batch_->Put(ChangeKey(stream_.shard(), user, stamp), key);
  }

  // Who has moved, who is to be adopted here, and whose new home this store heard of before all
  // that the old ones had written.
  void NoteHome(const std::string& key, std::string_view value) {
    const std::optional<AccountInfo> account = DecodeAccount(value);
    // A value that is none is stored as it came and found malformed by whoever reads it.
    if (!account.has_value() || account->deps.empty()) return;
    const ShardId shard = stream_.shard();
    const Uin uin = OwnerOfKey(key);
    const bool here = account->home == context_.self;
    const bool arrives = here && !account->adopted;
    const std::optional<std::string> stored = ReadLive(store_, key);
    const auto before = stored.has_value() ? DecodeAccount(*stored) : std::nullopt;
    const bool moved = !before.has_value() || before->home != account->home ||
                       before->epoch != account->epoch || before->adopted != account->adopted;
    if (moved) summary_->moved.push_back({uin, arrives});
    if (here && account->adopted && stream_.incarnation() == context_.self) {
      summary_->adopted_deps.insert(summary_->adopted_deps.end(), account->deps.begin(),
                                    account->deps.end());
    }
    if (arrives) {
      batch_->Put(ArrivingKey(shard, uin), "");
    } else if (moved) {
      batch_->Delete(ArrivingKey(shard, uin));
    }
    const bool outrun = !HasAll(account->deps);
    if (outrun || moved) outruns_.Note(uin, outrun);
  }

  // With this entry.
  bool HasAll(const std::vector<Position>& deps) const {
    return std::all_of(deps.begin(), deps.end(), [&](const Position& dep) {
      return (dep.stream == stream_ ? seq_ : AppliedSeq(store_, dep.stream)) >= dep.seq;
    });
  }

  // Inbox items, trims and recalls of one home come in order, so an item needs no look at what
  // stands there. Not so when the user's next home was heard of first: it may have recalled or
  // trimmed what comes only now.
  bool IsLate(const std::string& key, std::string_view value) {
    const auto [user, stamp] = PlaceOfInboxKey(key);
    if (!IsOutrun(user) || context_.move_bug == PlantedMoveBug::kLateItemsRise) return false;
    if (stamp <= ReadCounters(store_, stream_.shard(), user).counters.floor) return true;
    const auto item = DecodeInboxItem(value);
    const bool recalled = item.has_value() && item->recalled;  // which nothing undoes
    return !recalled && store_.Get(key).has_value();
  }
  // The same of a group's messages, which go by stamps but for those that are trimmed.
  bool IsTrimmedLate(const std::string& key) {
    const auto [group, group_seq] = PlaceOfGroupMessageKey(key);
    if (!IsOutrun(group) || context_.move_bug == PlantedMoveBug::kLateItemsRise) return false;
    const Counters counters = ReadCounters(store_, stream_.shard(), group).counters;
    return group_seq <= counters.floor.version.value();
  }
  bool IsOutrun(Uin user) { return outruns_.Has(user); }
  // All that the old homes had is here, with this entry.
  bool HasCaughtUp(Uin user) const {
    const auto bytes = ReadLive(store_, AccountKey(stream_.shard(), user));
    const auto account = bytes.has_value() ? DecodeAccount(*bytes) : std::nullopt;
    return account.has_value() && HasAll(account->deps);
  }

  void NoteRecordChange(const std::string& key, const std::optional<Stamp>& before,
                        const Stamp& stamp) {
    const ShardId shard = stream_.shard();
    const Uin user = OwnerOfKey(key);
    const std::string_view table = TableOfRecordKey(key);
    if (before.has_value()) batch_->Delete(RecordChangeKey(shard, user, table, *before));
    batch_->Put(RecordChangeKey(shard, user, table, stamp), key);
  }

  std::optional<Stamp> StampOf(const std::string& key) const {
    const std::optional<std::string> stored = store_.Get(key);
    return stored.has_value() ? StampOfRow(*stored) : std::nullopt;
  }

  void NoteSequenced(const std::string& key, std::string_view value) {
    const GroupMessagePlace place = PlaceOfGroupMessageKey(key);
    const Status status = Decode<wire::GroupMessage>(value, [&](auto message) -> Status {
      summary_->sequenced.push_back(
          {place.group, MessageId(message.getMessage().getId()), place.group_seq});
      return {};
    });
    // A value that is none is stored as it came and found malformed by whoever reads it.
    if (!status.ok()) return;
  }

  Status ApplyFanout(wire::Fanout::Reader fanout) {
    const auto users = fanout.getUsers();
    const auto versions = fanout.getVersions();
    if (users.size() != versions.size()) return Status::Corrupt("fanout without its versions");
    const std::string item(View(fanout.getItem()));
    const MastershipEpoch epoch{fanout.getTakeover(), fanout.getMove()};
    summary_->inboxes.reserve(summary_->inboxes.size() + users.size());
    for (unsigned i = 0; i < users.size(); ++i) {
      const Uin user(users[i]);
      std::string key = InboxKey(stream_.shard(), user, {epoch, Version(versions[i])});
      if (IsLate(key, item)) {
        ++summary_->stale_rows;
        continue;
      }
      batch_->Put(std::move(key), item);
      summary_->inboxes.push_back(user);
    }
    summary_->rows += users.size();
    return {};
  }

  Status ApplyTrim(wire::TrimInbox::Reader trim) {
    const Uin user(trim.getUser());
    if (ShardOf(user, context_.shards) != stream_.shard()) {
      return Status::Corrupt("entry that trims an inbox of another shard");
    }
    const Stamp from = ReadStamp(trim.getFrom());
    const Stamp through = ReadStamp(trim.getThrough());
    if (through < from) return Status::Corrupt("entry that trims an inbox backwards");
    const ShardId shard = stream_.shard();
    if (trim.getOfGroup()) {
      DeleteRange(GroupMessageKey(shard, user, from.version.value()) + '\0',
                  GroupMessageKey(shard, user, through.version.value()) + '\0');
      return {};
    }
    // From the last trim on, so as not to walk over all that it deleted.
    DeleteRange(AfterInbox(user, from), AfterInbox(user, through));
    return {};
  }
  void DeleteRange(const std::string& first, const std::string& end) {
    store_.Scan(first, end, [&](std::string_view key, std::string_view) {
      batch_->Delete(std::string(key));
      return true;
    });
  }
  std::string AfterInbox(Uin user, const Stamp& stamp) const {
    return InboxKey(stream_.shard(), user, stamp) + '\0';
  }

  void ApplyConsumed(wire::Consumed::Reader consumed) {
    const Incarnation role(consumed.getRole());
    const auto source = StreamId::FromValue(consumed.getStream());
    const Cursor cursor{Seq(consumed.getSeq()), consumed.getIndex()};
    const ShardId target = stream_.shard();
    const Cursor before = ReadCursor(store_, role, source, target);
    if (cursor <= before) return;
    batch_->Put(ConsumedKey(role, source, target), EncodeCursor(cursor));
    if (role != context_.self) return;
    own_cursors_[{target, source}] = cursor;
    // What `before` covers is gone already. To begin there spares the walk over all the deleted
    // rows in front, which a queue in RocksDB has many of.
    const std::string first = AfterPending(target, source, before);
    const std::string end = AfterPending(target, source, cursor);
    DeleteRange(first, end);
  }

  // The key after that of the cursor's intent.
  static std::string AfterPending(ShardId target, StreamId source, const Cursor& cursor) {
    std::string key = PendingKey(target, source, cursor.seq, cursor.index);
    key.push_back('\0');
    return key;
  }

  Status ApplyTarget(wire::Target::Reader target, wire::Intent::Reader intent, uint32_t index) {
    if (target.getShard() >= context_.shards) return Status::Corrupt("intent for no shard");
    if (Incarnation(target.getIncarnation()) != context_.self) return {};
    const ShardId shard(target.getShard());
    const auto [cursor, first] = own_cursors_.try_emplace({shard, stream_});
    if (first) cursor->second = ReadCursor(store_, context_.self, stream_, shard);
    // Consumed before a crash took this entry out of the store, while the shard's own entry came
    // back first.
    if (Cursor{seq_, index} <= cursor->second) return {};
    PendingIntent pending{shard, stream_, seq_, index, EncodePendingIntent(target, intent)};
    batch_->Put(PendingKey(shard, stream_, seq_, index), pending.bytes);
    summary_->pending.push_back(std::move(pending));
    return {};
  }

  Status ApplyReport(wire::Report::Reader in) {
    const Incarnation role = stream_.incarnation();
    ASSIGN_OR_RETURN(summary_->report, ReadReport(in, role));
    if (summary_->report.has_value()) {
      batch_->Put(ReportKey(role), EncodeReport(*summary_->report));
    }
    return {};
  }

  Status ApplyIdsThrough(uint64_t ids_through) {
    if (ids_through == 0) return {};
    if (ids_through >= (uint64_t{1} << kIdCounterBits) / context_.shards) {
      return Status::Corrupt("entry with more ids than an incarnation has");
    }
    const std::string key = IdsThroughKey(stream_);
    if (ids_through > ReadNumber(store_, key)) batch_->Put(key, EncodeNumber(ids_through));
    return {};
  }

  const StoreView& store_;
  const ApplyContext& context_;
  const StreamId stream_;
  const Seq seq_;
  WriteBatch* batch_;
  ApplySummary* summary_;
  // Highest stamp of each key touched, as the store will have it after this entry. Looked up, never
  // walked.
  std::unordered_map<std::string, std::optional<Stamp>> written_;
  Outruns outruns_;
  // Cursors in our own role, as the store will have them.
  std::map<std::pair<ShardId, StreamId>, Cursor> own_cursors_;
  // Of users whose account or counters it changes.
  std::map<Uin, UserRows> ends_;
};

}  // namespace

Status ApplyEntry(const StoreView& store, const ApplyContext& context, StreamId stream, Seq seq,
                  std::string_view payload, WriteBatch* batch, ApplySummary* summary) {
  const Seq applied = AppliedSeq(store, stream);
  CHECK(seq == applied + 1, "entries of a stream are applied in order, each once", stream, seq,
        applied);
  if (!payload.empty()) {
    Applier applier(store, context, stream, seq, batch, summary);
    const Status status = Decode<wire::Entry>(
        payload, [&](wire::Entry::Reader entry) { return applier.Apply(entry); });
    if (!status.ok()) return Status::Corrupt(status.message());
    auto& inboxes = summary->inboxes;
    std::sort(inboxes.begin(), inboxes.end());
    inboxes.erase(std::unique(inboxes.begin(), inboxes.end()), inboxes.end());
  }
  batch->Put(AppliedKey(stream), EncodeNumber(seq.value()));
  return {};
}

std::vector<EntryIntent> IntentsOfEntry(StreamId stream, Seq seq, std::string_view payload) {
  std::vector<EntryIntent> intents;
  if (payload.empty()) return intents;
  const Status status = Decode<wire::Entry>(payload, [&](wire::Entry::Reader entry) -> Status {
    uint32_t index = 0;
    for (const auto intent : entry.getIntents()) {
      for (const auto target : intent.getTargets()) {
        intents.push_back({Incarnation(target.getIncarnation()),
                           {ShardId(target.getShard()), stream, seq, index++,
                            EncodePendingIntent(target, intent)}});
      }
    }
    return {};
  });
  if (!status.ok()) intents.clear();
  return intents;
}

Seq AppliedSeq(const StoreView& store, StreamId stream) {
  return Seq(ReadNumber(store, AppliedKey(stream)));
}

std::vector<PendingIntent> LoadPending(const StoreView& store, ShardId shard) {
  std::vector<PendingIntent> pending;
  const std::string prefix = TablePrefix(shard, Table::kPending);
  store.Scan(prefix, PrefixEnd(prefix), [&](std::string_view key, std::string_view value) {
    const IntentPlace place = PlaceOfPendingKey(key);
    pending.push_back({shard, place.source, place.seq, place.index, std::string(value)});
    return true;
  });
  return pending;
}

std::vector<Uin> LoadArriving(const StoreView& store, ShardId shard) {
  std::vector<Uin> arriving;
  const std::string prefix = TablePrefix(shard, Table::kArriving);
  store.Scan(prefix, PrefixEnd(prefix), [&](std::string_view key, std::string_view) {
    arriving.push_back(OwnerOfKey(key));
    return true;
  });
  return arriving;
}

std::vector<Uin> LoadParkedTargets(const StoreView& store, ShardId shard, Incarnation self) {
  std::vector<Uin> targets;
  const std::string prefix = TablePrefix(shard, Table::kParked);
  store.Scan(prefix, PrefixEnd(prefix), [&](std::string_view key, std::string_view value) {
    const Uin target = TargetOfParkedKey(key);
    if (!targets.empty() && targets.back() == target) return true;
    const std::optional<Row> row = DecodeRow(value);
    if (!row.has_value() || row->deleted) return true;
    const auto parked = DecodePendingIntent(row->value);
    if (parked.has_value() && parked->target.incarnation == self) targets.push_back(target);
    return true;
  });
  return targets;
}

Cursor ReadCursor(const StoreView& store, Incarnation role, StreamId source, ShardId shard) {
  const std::optional<std::string> bytes = store.Get(ConsumedKey(role, source, shard));
  return bytes.has_value() ? DecodeCursor(*bytes) : Cursor();
}

Seq ConsumedSeq(const StoreView& store, Incarnation role, StreamId source, ShardId shard) {
  return ReadCursor(store, role, source, shard).seq;
}

namespace {

// XXH3 of a table's live rows. Rows are hashed by content, so that their encoding may change one
// day.
class Digester {
 public:
  Digester() : state_(XXH3_createState()) { XXH3_64bits_reset(state_); }
  ~Digester() { XXH3_freeState(state_); }
  Digester(const Digester&) = delete;
  Digester& operator=(const Digester&) = delete;

  void AddNumber(uint64_t n) {
    const std::string bytes = EncodeNumber(n);
    XXH3_64bits_update(state_, bytes.data(), bytes.size());
  }
  void AddBytes(std::string_view bytes) {
    AddNumber(bytes.size());
    XXH3_64bits_update(state_, bytes.data(), bytes.size());
  }
  uint64_t digest() const { return XXH3_64bits_digest(state_); }

 private:
  XXH3_state_t* state_;
};

}  // namespace

std::vector<TableDigest> DigestShard(const StoreView& store, ShardId shard) {
  std::vector<TableDigest> digests;
  for (const Table table : kReplicatedTables) {
    Digester digester;
    uint64_t rows = 0;
    const std::string prefix = TablePrefix(shard, table);
    store.Scan(prefix, PrefixEnd(prefix), [&](std::string_view key, std::string_view value) {
      if (table == Table::kInbox) {
        if (IsInboxEndKey(key)) return true;  // local: what it copies is digested where it stands
        digester.AddBytes(key);
        digester.AddBytes(value);
        ++rows;
        return true;
      }
      const std::optional<Row> row = DecodeRow(value);
      CHECK(row.has_value(), "only ApplyEntry writes rows, and in this format", value.size());
      if (row->deleted) return true;  // a tombstone is absent
      digester.AddBytes(key);
      digester.AddNumber(uint64_t{row->stamp.epoch.takeover} << 32 | row->stamp.epoch.move);
      digester.AddNumber(row->stamp.version.value());
      digester.AddBytes(row->value);
      ++rows;
      return true;
    });
    digests.push_back({shard, std::string(TableName(table)), rows, digester.digest()});
  }
  return digests;
}

}  // namespace homeport::core
