// Regrouper: changes the groups of a running region when an operator asks: adds one, lets one
// drain, and retires it when it may go.
//
// Pure: no I/O, no clock, no threads, no randomness. Feed it events, carry out its effects.
//
//   an order:  Probing --(add: all three newcomers, and 2 of 3 of every group, answered)-->
//              ChangeRecord --(RecordChanged)--> OrderDone
//              Probing --(answer_within)--> OrderDone(kUnavailable): nothing was changed
//
//   a draining group:  per stream: Holdings of every replica that stays, page by page
//              --(WhyNotRetire says nothing of any stream)--> ChangeRecord(remove)
//              --(it says why not)--> that stream again after look_every
//
// Invariants:
//  (1) the record changes only while 2 of 3 of every group answer: the writers take their streams
//      over after it, and need them
//  (2) a newcomer is empty, and nobody promised anything there: its disk was formatted for this
//      place in this group
//  (3) the groups that a removal is judged by are those it removes from (GrantStore::RemoveGroup)
//
// Places: a slot's group is the group's id; kNewcomers for those of an order. What is found stays
// true (docs/quorum_queue.md, "The grant record"), so it may be gathered stream after stream, and
// it may die at any moment: a draining group stands in the record, an order is given again. Not
// thread safe.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/status.h"
#include "core/time.h"
#include "quorum_queue/retire.h"
#include "quorum_queue/writer.h"

namespace homeport::quorum_queue {

struct RegrouperOptions {
  std::vector<StreamId> streams;  // all of the region
  // What a newcomer's directory must say.
  std::string cluster;
  core::Incarnation incarnation;
  uint64_t first_nonce = 1;  // of its StatusRequests; random per process
  core::Duration ask_every = std::chrono::milliseconds(250);
  core::Duration answer_within = std::chrono::seconds(5);
  core::Duration look_every = std::chrono::seconds(1);
};

using Endpoints = std::array<std::string, 3>;
inline constexpr uint16_t kNewcomers = 0;  // no group's id

// ---- events

struct AddGroupOrder {
  uint64_t ticket = 0;
  GroupId id = GroupId(0);  // the next one
  Endpoints endpoints;
};
struct DrainGroupOrder {
  uint64_t ticket = 0;
  GroupId id = GroupId(0);
};
// The record as it is now, and where the replicas of its groups are. Ends what is under way.
struct RegrouperGroups {
  std::vector<Group> groups;
  std::vector<Endpoints> endpoints;  // of groups[i]
  GroupId last_group = GroupId(0);
};
struct RegrouperAnswer {
  ReplicaSlot from;  // a place
  ReplicaAnswer answer;
};
// The writers that are open, one for each stream at most.
struct OpenWriter {
  StreamId stream;
  WriterEpoch epoch;
  Seq open;
};
struct OpenWriters {
  std::vector<OpenWriter> writers;
};
// Answers ChangeRecord. RegrouperGroups comes before it, if it went well.
struct RecordChanged {
  core::Status status;
};
struct RegrouperTick {};
using RegrouperEvent = std::variant<AddGroupOrder, DrainGroupOrder, RegrouperGroups,
                                    RegrouperAnswer, OpenWriters, RecordChanged, RegrouperTick>;

// ---- effects

struct RegrouperSend {
  ReplicaSlot to;  // a place
  ReplicaRequest request;
};
// From now on the newcomers are there; nullopt: there are none.
struct ConnectNewcomers {
  std::optional<Endpoints> endpoints;
};
// In the store, and then RecordChanged. `add` has no id yet.
struct ChangeRecord {
  std::optional<Group> add;
  std::optional<GroupId> drain;
  std::optional<GroupId> remove;
  std::vector<Group> seen;  // of a removal
};
struct OrderDone {
  uint64_t ticket = 0;
  core::Status status;
  GroupId group = GroupId(0);
  bool changed = false;  // false: it was so already
};
using RegrouperEffect = std::variant<RegrouperSend, ConnectNewcomers, ChangeRecord, OrderDone>;

class Regrouper {
 public:
  explicit Regrouper(RegrouperOptions options);
  ~Regrouper();
  void Step(core::Instant now, RegrouperEvent event, std::vector<RegrouperEffect>* effects);
  std::optional<core::Instant> NextDeadline() const;
  // Why each draining group is still there.
  std::map<GroupId, std::string> WhyNotRetired() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace homeport::quorum_queue
