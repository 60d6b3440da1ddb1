// World: regions with real Regions, Writers, Readers and Replicas, in one deterministic loop with a
// seed.
//
// Messages are delayed, reordered and dropped; replicas and regions crash and lose what they had
// not synced; links between regions are cut; disks fill up. Clients retry each command until it
// succeeds.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/memory_store.h"
#include "core/messaging/messaging.capnp.h"
#include "core/messaging/queries.h"
#include "core/messaging/sync.h"
#include "replicator/region.h"
#include "replicator/tests/fullable_store.h"
#include "replicator/tests/sim_replica.h"

namespace homeport::replicator {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A fault of the world itself that the checks must find.
enum class PlantedBug { kNone, kTrimsOneTooFar, kFlushesNothing };

struct WorldOptions {
  uint16_t regions = 3;
  uint16_t shards = 2;
  size_t groups = 1;           // of three replicas, per region
  size_t groups_at_start = 0;  // in the grants, until SetGroups; 0: all
  uint64_t seed = 1;
  uint32_t drop_per_mille = 0;  // while there is chaos
  core::Duration wan_delay_max = milliseconds(80);
  core::Duration store_flush_max = milliseconds(20);
  core::Duration relay_load = milliseconds(3);  // of one run of the relay log, at the start
  RegionOptions region;                         // limits; who and how many is filled in
  PlantedBug plant = PlantedBug::kNone;
};

class World {
 public:
  using OnDone = std::function<void(const core::CommandResult&)>;

  explicit World(WorldOptions options);

  // ---- time
  Instant now() const { return now_; }
  void RunFor(core::Duration duration);
  // False when `limit` of simulated time passed first.
  bool RunUntil(const std::function<bool()>& condition, core::Duration limit);
  bool RunToRest(core::Duration limit);
  void At(core::Duration after, std::function<void()> what);
  uint64_t Random(uint64_t below);
  size_t replicas() const { return 3 * options_.groups; }  // of a region
  bool Chance(uint32_t per_mille) { return Random(1000) < per_mille; }

  // ---- commands: regions count from 0
  // One attempt; every attempt gets exactly one answer unless the region crashes.
  void Try(size_t region, core::Command command, OnDone on_done);
  // Until it succeeds, or is refused for good; retries under the same ids, also across crashes, and
  // follows who moved.
  void Do(size_t region, core::Command command, OnDone on_done);
  // Do, and wait.
  core::CommandResult Must(size_t region, core::Command command);
  core::Uin MustCreate(size_t region, core::AccountKind kind, const std::string& name);

  // ---- faults
  void
  StopChaos();  // nothing is dropped any more, all links are whole, all disks have room, all is up
  void SetCut(size_t a, size_t b, bool cut);
  void CrashReplica(size_t region, size_t replica);
  void StartReplica(size_t region, size_t replica);
  // The process dies with all that was not synced but a random prefix, and starts again at once.
  void RestartRegion(size_t region);
  // The region's grants name these from now on; all regions that are up are told at once.
  void SetGroups(size_t region, const std::vector<uint32_t>& ids, uint32_t draining = 0);

  // ---- what is there
  size_t regions() const { return nodes_.size(); }
  Incarnation incarnation(size_t region) const {
    return Incarnation(static_cast<uint16_t>(region + 1));
  }
  FullableStore& store(size_t region) { return nodes_[region].store; }
  Region& region(size_t region) { return *nodes_[region].region; }
  uint16_t shards() const { return options_.shards; }
  // Regions that serve this user or group, by their own stores.
  std::vector<size_t> ServingRegions(core::Uin uin) const;
  bool AllReady() const;
  // Every entry applied everywhere, nothing pending, nothing queued.
  bool AtRest() const;
  const std::set<std::string>& notes() const { return notes_; }
  // Why regions stopped by themselves.
  const std::vector<std::string>& stops() const { return stops_; }
  const std::vector<News>& news(size_t region) const { return nodes_[region].news; }
  void FlushRelay(size_t region);
  // What was trimmed though somebody could still need it, and other things that must not be.
  const std::vector<std::string>& violations() const { return violations_; }
  // This region is meant to be left behind: nobody need keep anything for it.
  void GiveUp(size_t region) { given_up_.insert(region); }
  // Entries that the region's relay log, or the fullest of its replicas, still holds.
  uint64_t EntriesInRelay(size_t region) const;
  uint64_t EntriesInLog(size_t region) const;
  // The first intent for `to` that it has not consumed and that `region` has trimmed without
  // keeping it as a row; "" when there is none.
  std::string MissingIntents(size_t region, size_t to) const;
  std::string LogText(size_t region) const;  // for a failure's message

 private:
  struct Attempt {
    OnDone on_done;
  };
  struct Node {
    FullableStore store;
    std::unique_ptr<Region> region;
    uint64_t life = 0;  // messages of an earlier one are dropped
    std::vector<std::unique_ptr<SimReplica>> replicas;
    std::vector<uint64_t> replica_life;  // by number
    std::vector<bool> sync_under_way;
    std::vector<quorum_queue::Group> groups;  // of its next grant
    bool relay_sync_under_way = false;
    bool turn_under_way = false;
    // Relay log: on disk, and appended only.
    std::map<StreamId, std::map<Seq, quorum_queue::EntryRun>> relay;
    std::deque<RelayAppend> relay_unsynced;
    std::map<Ticket, Attempt> attempts;
    std::vector<News> news;
  };

  void StartRegion(size_t at);
  quorum_queue::Grant NextGrant(size_t at);
  void GrantGroups(size_t region, const std::vector<uint32_t>& ids, uint32_t draining);
  RegionReplicas ReplicasOf(size_t at) const { return RegionReplicas(nodes_[at].groups); }
  void StepRegion(size_t at, RegionEvent event);
  void Carry(size_t at, std::vector<RegionEffect> effects);
  void SendToReplica(size_t from, SendToQueue send);
  void SendAnswers(size_t region, size_t replica, std::vector<SimReplica::Out> out);
  void SyncSoon(size_t region, size_t replica);
  void SyncRelaySoon(size_t region);
  void KeepInRelay(Node* node, const RelayAppend& append);
  void FlushStoreSoon(size_t region);
  // Trimming `stream` up to `through` at `region`: does everybody have it, does nobody miss it?
  void CheckTrim(size_t region, StreamId stream, Seq through);
  void NoteIntents(const RelayAppend& append);
  void NoteForward(const core::PendingIntent& pending);
  void NoteWrites(const RelayAppend& append);
  void NotePut(StreamId stream, core::wire::Put::Reader put);
  void NoteWrite(StreamId stream, core::Uin uin, core::MastershipEpoch epoch);
  quorum_queue::EntryRun LoadFrom(const Node& node, const LoadRelay& load) const;
  std::vector<RelayEnd> RelayEnds(const Node& node) const;
  bool Lost(size_t region_a, size_t region_b);
  core::Duration Delay(size_t region_a, size_t region_b);
  bool StepOnce(Instant until);

  WorldOptions options_;
  std::mt19937_64 random_;
  Instant now_{seconds(1)};
  uint64_t next_event_ = 0;
  std::map<std::pair<Instant, uint64_t>, std::function<void()>> events_;
  bool chaos_ = true;
  std::set<std::pair<size_t, size_t>> cuts_;
  std::deque<Node> nodes_;
  std::vector<uint64_t> epochs_;
  uint64_t next_ticket_ = 0;
  std::set<std::string> notes_;
  std::vector<std::string> stops_;
  std::vector<std::string> violations_;
  std::set<size_t> given_up_;
  // Every intent of an entry that left its region: by stream and place, its address.
  struct Address {
    Incarnation region;
    ShardId shard;
    auto operator<=>(const Address&) const = default;
  };
  std::map<StreamId, std::map<core::Cursor, Address>> intents_;
  std::map<std::pair<size_t, StreamId>, Seq> trim_checked_;
  std::map<std::pair<core::Uin, core::MastershipEpoch>, Incarnation> writers_;
  // Where each message was addressed to its receiver, by the epoch behind the address.
  using Place = std::pair<StreamId, core::Cursor>;
  std::map<std::pair<core::MessageId, core::Uin>, std::map<core::MastershipEpoch, Place>> sent_on_;
};

// Every message of a user's inbox in that region's store, in order.
std::vector<core::SyncMessage> Inbox(World& world, size_t region, core::Uin user);
// "" when all regions have the same rows in every table, else where they differ.
std::string DigestDifference(World& world);

}  // namespace homeport::replicator
