// DraftedView: what a shard primary sees when it evaluates: the applied store, and over it every
// row drafted and not applied yet. Also caches what evaluation asks for again and again: counters,
// homes, group members.
//
// Invariants:
//  (1) a row drafted in an entry that is not applied yet is found here, not in the store
//  (2) a cached value equals what the store will hold once all that is drafted is applied; so it
//      is dropped only when every entry that it was touched for is applied
//  (3) only what this shard alone changes is cached: accounts served here, their counters, and
//      groups served here; but for where group members live, which follows Moved()
//
// Part of the evaluator. Not thread safe.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/ids.h"
#include "core/messaging/aging_map.h"
#include "core/messaging/evaluator.h"
#include "core/messaging/intents.h"
#include "core/messaging/rows.h"
#include "core/messaging/user_rows.h"
#include "core/store.h"

namespace homeport::core {

// Where an account lives and what it is.
struct Residence {
  HomeOf at;
  AccountKind kind = AccountKind::kUser;
  Uin owner = {};  // of a group that has one
};

// Members of one group by the address their messages go to, ascending; users ascending within one.
class GroupMembers {
 public:
  GroupMembers() = default;
  ~GroupMembers() {
    if (total_ != nullptr) *total_ -= size_;
  }
  GroupMembers(const GroupMembers&) = delete;
  GroupMembers& operator=(const GroupMembers&) = delete;

  struct Address {
    Incarnation home;
    ShardId shard;
    MastershipEpoch epoch;
    auto operator<=>(const Address&) const = default;
  };
  bool Contains(Uin user) const;
  // REQUIRES: not contained.
  void Add(Uin user, const Address& address);
  void Remove(Uin user);
  // Where the user's messages go from now on. REQUIRES: contained.
  void Readdress(Uin user, const Address& address);
  // All of them, in no order that means anything.
  std::vector<Uin> Users() const;
  // How many moves (DraftedView::Moved) its addresses take into account.
  uint64_t moves_seen = 0;
  size_t size() const { return size_; }
  // From now on `total`, which outlives this, has its size added.
  // REQUIRES: empty, and called once.
  void CountIn(size_t* total) { total_ = total; }
  // All addresses with members other than `sender`.
  std::vector<Target> TargetsWithout(Uin sender) const;

 private:
  std::map<Address, std::vector<Uin>> by_address_;
  size_t size_ = 0;
  size_t* total_ = nullptr;
};

class DraftedView {
 public:
  DraftedView(const EvaluatorOptions& options, const StoreView* store);

  void OpenEntry();
  // The open entry joins those in flight.
  void CloseEntry();
  // The oldest entry in flight is in the store now.
  void Applied();

  // What is applied.
  const StoreView& store() const { return *store_; }

  // The row is drafted in the open entry.
  void Drafted(const std::string& key, Row row);
  // The row at `key`, tombstones included.
  std::optional<Row> Find(const std::string& key) const;
  // The value at `key`; nullopt when absent or deleted.
  std::optional<std::string> FindLive(const std::string& key) const;

  Residence ResidenceOf(Uin uin);
  // All that is cached of an owner is read from the store when it is needed again. REQUIRES: what
  // was drafted of it, but for its account, is applied.
  void Forget(Uin owner);
  // An applied entry changed the home of a user, of whatever shard.
  void Moved(Uin user) { moved_.push_back(user); }
  // An account row of this shard was drafted.
  void AccountDrafted(Uin uin);
  // Counters of a user or group of this shard; the caller may raise them.
  Counters& CountersOf(Uin owner);
  // Version of the last item in an inbox, and seq of the last message of a group, of this shard;
  // the caller may raise it.
  uint64_t& InboxVersionOf(Uin user);
  uint64_t& GroupSeqOf(Uin group);
  GroupMembers& MembersOf(Uin group);
  // Owners and group members in memory.
  size_t cached() const { return owners_.size() + members_cached_; }
  // Keys of live rows that this region parked for `target`, ascending: the first ones, until their
  // values have `bytes_max` together.
  std::vector<std::string> ParkedKeys(Uin target, uint64_t bytes_max) const;
  // All parked rows of `target` before `key` are deleted: they are not looked at again. An empty
  // key: nothing is known any more.
  void UnparkedBefore(Uin target, std::string key);
  // Highest id counter given out; the caller may raise it.
  uint64_t& ids_through();
  // What entries closed before, and the open one, consumed of `source`.
  Cursor ConsumedThrough(StreamId source);
  // Counts with the open entry's close.
  void Consumed(StreamId source, const Cursor& cursor);

 private:
  struct Drafting {
    Row row;
    uint32_t entries = 0;  // in flight or open that wrote it
  };
  struct Owner {
    std::optional<Residence> residence;
    std::optional<Counters> counters;
    std::optional<uint64_t> inbox;           // version of its last item
    std::optional<uint64_t> group_messages;  // seq of its last one
  };
  void AgeCachesIfLarge();
  void ReaddressMembers(GroupMembers* members);

  EvaluatorOptions options_;
  const StoreView* store_;
  std::unordered_map<std::string, Drafting> drafted_;  // looked up, never walked
  std::set<std::string> drafted_parked_;               // keys of parked rows in drafted_
  std::unordered_map<Uin, std::string> parked_from_;   // no live parked row of it comes before
  std::vector<std::string> open_keys_;
  std::deque<std::vector<std::string>> in_flight_;
  uint64_t closed_ = 0;   // entries
  uint64_t applied_ = 0;  // of them
  AgingMap<Uin, Owner> owners_;
  uint64_t owners_aged_at_ = 0;  // closed_, then
  size_t members_cached_ = 0;
  size_t members_before_ = 0;  // members_cached_, when groups_ aged
  AgingMap<Uin, GroupMembers> groups_;
  uint64_t groups_aged_at_ = 0;
  // Moves, of which the first moves_forgotten_ are no longer listed: whoever has not seen those
  // looks at all its members.
  std::deque<Uin> moved_;
  uint64_t moves_forgotten_ = 0;
  std::optional<uint64_t> ids_through_;
  std::map<StreamId, Cursor> consumed_;
  std::map<StreamId, Cursor> open_consumed_;
};

}  // namespace homeport::core
