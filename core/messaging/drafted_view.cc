#include "core/messaging/drafted_view.h"

#include <algorithm>

#include "core/check.h"
#include "core/config.h"
#include "core/messaging/keys.h"

namespace homeport::core {
namespace {

// Of each generation of a cache, about.
constexpr size_t kOwnersCachedMax = 50'000;
constexpr size_t kMembersCachedMax = 1'000'000;
constexpr size_t kMovesListedMax = 4096;

}  // namespace

// ---- GroupMembers

bool GroupMembers::Contains(Uin user) const {
  // Few addresses can hold a user (its shard is fixed), and each list is sorted.
  return std::any_of(by_address_.begin(), by_address_.end(), [&](const auto& at) {
    return std::binary_search(at.second.begin(), at.second.end(), user);
  });
}

void GroupMembers::Add(Uin user, const Address& address) {
  std::vector<Uin>& users = by_address_[address];
  users.insert(std::upper_bound(users.begin(), users.end(), user), user);
  ++size_;
  if (total_ != nullptr) ++*total_;
}

void GroupMembers::Remove(Uin user) {
  for (auto& [address, users] : by_address_) {
    const auto at = std::lower_bound(users.begin(), users.end(), user);
    if (at == users.end() || *at != user) continue;
    users.erase(at);
    --size_;
    if (total_ != nullptr) --*total_;
    return;
  }
}

void GroupMembers::Readdress(Uin user, const Address& address) {
  Remove(user);
  Add(user, address);
}

std::vector<Uin> GroupMembers::Users() const {
  std::vector<Uin> all;
  all.reserve(size_);
  for (const auto& [address, users] : by_address_) {
    all.insert(all.end(), users.begin(), users.end());
  }
  return all;
}

std::vector<Target> GroupMembers::TargetsWithout(Uin sender) const {
  std::vector<Target> targets;
  for (const auto& [address, users] : by_address_) {
    const auto at = std::lower_bound(users.begin(), users.end(), sender);
    const bool has_sender = at != users.end() && *at == sender;
    if (users.size() == (has_sender ? 1 : 0)) continue;
    Target target{address.home, address.shard, address.epoch, users};
    if (has_sender) target.users.erase(target.users.begin() + (at - users.begin()));
    targets.push_back(std::move(target));
  }
  return targets;
}

// ---- entries

DraftedView::DraftedView(const EvaluatorOptions& options, const StoreView* store)
    : options_(options), store_(store) {}

void DraftedView::OpenEntry() {
  AgeCachesIfLarge();
  while (moved_.size() > kMovesListedMax) {
    moved_.pop_front();
    ++moves_forgotten_;
  }
}

void DraftedView::CloseEntry() {
  for (const auto& [source, cursor] : open_consumed_) consumed_[source] = cursor;
  open_consumed_.clear();
  ++closed_;
  in_flight_.push_back(std::move(open_keys_));
  open_keys_.clear();
}

void DraftedView::Applied() {
  CHECK(!in_flight_.empty(), "Applied() is called once for each finished entry");
  for (const std::string& key : in_flight_.front()) {
    const auto at = drafted_.find(key);
    CHECK(at != drafted_.end(), "a row stays drafted until its last entry is applied");
    if (--at->second.entries > 0) continue;
    drafted_.erase(at);
    drafted_parked_.erase(key);
  }
  in_flight_.pop_front();
  ++applied_;
}

// What is dropped was last touched before the aging before this one.
void DraftedView::AgeCachesIfLarge() {
  if (owners_.young_size() > kOwnersCachedMax && applied_ >= owners_aged_at_) {
    owners_.Age();
    owners_aged_at_ = closed_;
  }
  if (members_cached_ > members_before_ + kMembersCachedMax && applied_ >= groups_aged_at_) {
    groups_.Age();
    members_before_ = members_cached_;
    groups_aged_at_ = closed_;
  }
}

// ---- rows

void DraftedView::Drafted(const std::string& key, Row row) {
  Drafting& drafting = drafted_[key];
  drafting.row = std::move(row);
  ++drafting.entries;
  open_keys_.push_back(key);
  if (static_cast<Table>(key[2]) != Table::kParked) return;
  drafted_parked_.insert(key);
  const auto from = parked_from_.find(TargetOfParkedKey(key));
  if (from != parked_from_.end() && key < from->second) from->second = key;
}

std::optional<Row> DraftedView::Find(const std::string& key) const {
  const auto at = drafted_.find(key);
  return at != drafted_.end() ? at->second.row : ReadRow(*store_, key);
}

std::optional<std::string> DraftedView::FindLive(const std::string& key) const {
  std::optional<Row> row = Find(key);
  if (!row.has_value() || row->deleted) return std::nullopt;
  return std::move(row->value);
}

Residence DraftedView::ResidenceOf(Uin uin) {
  const Owner* const cached = owners_.Find(uin);
  if (cached != nullptr && cached->residence.has_value()) return *cached->residence;
  const ShardId shard = ShardOf(uin, options_.shards);
  const std::optional<std::string> bytes = FindLive(AccountKey(shard, uin));
  const std::optional<AccountInfo> account =
      bytes.has_value() ? DecodeAccount(*bytes) : std::nullopt;
  if (!account.has_value()) return {{BirthIncarnation(uin), {}, false}, AccountKind::kUser};
  const Residence residence{
      {account->home, account->epoch, true, account->adopted}, account->kind, account->owner};
  if (account->home == options_.self && account->adopted && shard == options_.shard) {
    owners_[uin].residence = residence;
  }
  return residence;
}

void DraftedView::Forget(Uin owner) {
  owners_.Erase(owner);
  groups_.Erase(owner);
  parked_from_.erase(owner);
}

void DraftedView::AccountDrafted(Uin uin) {
  owners_[uin].residence.reset();
}

Counters& DraftedView::CountersOf(Uin owner) {
  std::optional<Counters>& counters = owners_[owner].counters;
  if (!counters.has_value()) {
    const std::optional<std::string> bytes = FindLive(CountersKey(options_.shard, owner));
    counters = bytes.has_value() ? DecodeCounters(*bytes).value_or(Counters{}) : Counters{};
  }
  return *counters;
}

uint64_t& DraftedView::InboxVersionOf(Uin user) {
  std::optional<uint64_t>& version = owners_[user].inbox;
  if (!version.has_value()) {
    const auto last =
        store_->Last(InboxPrefix(options_.shard, user), InboxEndKey(options_.shard, user));
    const uint64_t stored = last ? PlaceOfInboxKey(last->first).stamp.version.value() : 0;
    version = std::max(stored, CountersOf(user).messages);
  }
  return *version;
}

uint64_t& DraftedView::GroupSeqOf(Uin group) {
  std::optional<uint64_t>& seq = owners_[group].group_messages;
  if (!seq.has_value()) {
    const std::string prefix = GroupMessagePrefix(options_.shard, group);
    const auto last = store_->Last(prefix, PrefixEnd(prefix));
    const uint64_t stored = last ? PlaceOfGroupMessageKey(last->first).group_seq : 0;
    seq = std::max(stored, CountersOf(group).messages);
  }
  return *seq;
}

GroupMembers& DraftedView::MembersOf(Uin group) {
  if (GroupMembers* const cached = groups_.Find(group); cached != nullptr) {
    ReaddressMembers(cached);
    return *cached;
  }
  GroupMembers& members = groups_[group];
  members.moves_seen = moves_forgotten_ + moved_.size();
  members.CountIn(&members_cached_);
  // The first use: from here on each Join and Leave goes through this cache, so the store has it
  // all.
  std::vector<Uin> users;
  const std::string prefix = MemberPrefix(options_.shard, group);
  store_->Scan(prefix, PrefixEnd(prefix), [&](std::string_view key, std::string_view value) {
    const std::optional<Row> row = DecodeRow(value);
    if (row.has_value() && !row->deleted) users.push_back(UserOfMemberKey(key));
    return true;
  });
  for (const Uin user : users) {
    const HomeOf at_home = ResidenceOf(user).at;
    members.Add(user, {at_home.home, ShardOf(user, options_.shards), at_home.epoch});
  }
  return members;
}

// Who is not found where it lived gets its messages sent on from there, so this may come late.
void DraftedView::ReaddressMembers(GroupMembers* members) {
  const uint64_t moves = moves_forgotten_ + moved_.size();
  if (members->moves_seen == moves) return;
  const auto readdress = [&](Uin user) {
    const HomeOf at_home = ResidenceOf(user).at;
    members->Readdress(user, {at_home.home, ShardOf(user, options_.shards), at_home.epoch});
  };
  if (members->moves_seen < moves_forgotten_) {
    for (const Uin user : members->Users()) readdress(user);
  } else {
    for (uint64_t move = members->moves_seen; move < moves; ++move) {
      const Uin user = moved_[move - moves_forgotten_];
      if (members->Contains(user)) readdress(user);
    }
  }
  members->moves_seen = moves;
}

std::vector<std::string> DraftedView::ParkedKeys(Uin target, uint64_t bytes_max) const {
  const std::string prefix = ParkedPrefix(options_.shard, target);
  const auto known = parked_from_.find(target);
  const std::string& from = known != parked_from_.end() ? known->second : prefix;
  std::vector<std::string> live;
  uint64_t bytes = 0;
  const auto add = [&](std::string_view key, const Row& row) {
    if (row.deleted) return;
    // The parked rows of all regions are replicated; each takes its own.
    const auto parked = DecodePendingIntent(row.value);
    if (parked.has_value() && parked->target.incarnation != options_.self) return;
    live.emplace_back(key);
    bytes += row.value.size();
  };
  // Two sorted lists are merged; a drafted row hides the stored one of its key.
  auto drafted = drafted_parked_.lower_bound(from);
  const auto add_drafted_before = [&](std::string_view end) {
    for (; bytes < bytes_max && drafted != drafted_parked_.end() && *drafted < end; ++drafted) {
      add(*drafted, drafted_.at(*drafted).row);
    }
  };
  const std::string end = PrefixEnd(prefix);
  store_->Scan(from, end, [&](std::string_view key, std::string_view value) {
    add_drafted_before(key);
    if (bytes >= bytes_max) return false;
    if (drafted != drafted_parked_.end() && *drafted == key) return true;  // added next
    if (const std::optional<Row> row = DecodeRow(value); row.has_value()) add(key, *row);
    return bytes < bytes_max;
  });
  add_drafted_before(end);
  return live;
}

void DraftedView::UnparkedBefore(Uin target, std::string key) {
  if (key.empty()) {
    parked_from_.erase(target);
  } else {
    parked_from_[target] = std::move(key);
  }
}

uint64_t& DraftedView::ids_through() {
  if (!ids_through_.has_value()) {
    ids_through_ = ReadNumber(*store_, IdsThroughKey(StreamId(options_.self, options_.shard)));
  }
  return *ids_through_;
}

Cursor DraftedView::ConsumedThrough(StreamId source) {
  if (const auto open = open_consumed_.find(source); open != open_consumed_.end()) {
    return open->second;
  }
  const auto [at, added] = consumed_.try_emplace(source);
  if (added) at->second = ReadCursor(*store_, options_.self, source, options_.shard);
  return at->second;
}

void DraftedView::Consumed(StreamId source, const Cursor& cursor) {
  open_consumed_[source] = cursor;
}

}  // namespace homeport::core
