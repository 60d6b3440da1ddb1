// DraftedView: what a shard primary sees when it evaluates: the applied store, and over it every
// row drafted and not applied yet. Also caches what evaluation asks for again and again: counters,
// homes, group members.
//
// Invariants:
//  (1) a row drafted in an entry that is not applied yet is found here, not in the store
//  (2) a cached value equals what the store will hold once all that is drafted is applied; so
//      caches are dropped only when nothing is in flight
//  (3) only what this shard alone changes is cached: accounts homed here, their counters, and
//      groups homed here
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
  size_t size() const { return size_; }
  // All addresses with members other than `sender`.
  std::vector<Target> TargetsWithout(Uin sender) const;

 private:
  std::map<Address, std::vector<Uin>> by_address_;
  size_t size_ = 0;
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
  // An account row of this shard was drafted.
  void AccountDrafted(Uin uin);
  // Counters of a user or group of this shard; the caller may raise them.
  Counters& CountersOf(Uin owner);
  // Version of the last item in an inbox, and seq of the last message of a group, of this shard;
  // the caller may raise it.
  uint64_t& InboxVersionOf(Uin user);
  uint64_t& GroupSeqOf(Uin group);
  GroupMembers& MembersOf(Uin group);
  // Keys of live parked rows of `target`, ascending.
  std::vector<std::string> ParkedKeys(Uin target) const;
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
  void ForgetCachesIfLarge();

  EvaluatorOptions options_;
  const StoreView* store_;
  std::unordered_map<std::string, Drafting> drafted_;  // looked up, never walked
  std::set<std::string> drafted_parked_;               // keys of parked rows in drafted_
  std::vector<std::string> open_keys_;
  std::deque<std::vector<std::string>> in_flight_;
  std::unordered_map<Uin, Owner> owners_;
  std::unordered_map<Uin, GroupMembers> groups_;
  size_t members_cached_ = 0;
  std::optional<uint64_t> ids_through_;
  std::map<StreamId, Cursor> consumed_;
  std::map<StreamId, Cursor> open_consumed_;
};

}  // namespace homeport::core
