// StoreMachine: the rows, leases and changes of our own coordination store, and its rules.
//
// Pure: no I/O, no clock, no threads, no randomness. Requests and time in; out come what must be
// written, and answers.
//
//   Step, Tick --> Output: write `batch` durably, then send `replies`
//
// What is written holds all of it but the time: after a restart every lease begins its time anew,
// so none ends earlier than its holder may think. Invariants:
//  (1) a row's revision, and a change's, is at most revision_; changes_ ascend, and are all there
//      were after compacted_
//  (2) a row's lease is in leases_
//  (3) nothing is answered that is not in a batch given out before or with it
//
// Not thread safe. docs/coordination.md.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordination/messages.h"
#include "core/store.h"
#include "core/time.h"

namespace homeport::coordination {

struct MachineOptions {
  std::string cluster;
  size_t rows_max = 8192;
  uint64_t bytes_max = 64 << 20;  // of all keys and values
  size_t leases_max = 1024;
  size_t waiting_max = 4096;  // watches; over it they are refused for a while
  // Changes kept for watches; the last revision's are always.
  size_t changes_max = 10'000;
  uint64_t changes_bytes_max = 16 << 20;
  // Of rows: once an Output has so many, the watches that are left wait for the next Tick.
  uint64_t reply_bytes_per_output = 8 << 20;
};

// Who asked.
struct Caller {
  std::string peer;
  uint64_t number = 0;
  bool operator==(const Caller&) const = default;
};

class StoreMachine {
 public:
  struct Reply {
    Caller to;
    Answer answer;
  };
  struct Output {
    core::WriteBatch batch;
    std::vector<Reply> replies;
    uint64_t reply_bytes = 0;  // of the rows in replies
  };

  // What a new store's directory holds.
  // `before_leases`: at random. Leases are numbered from it on, so that the lease of a store that
  // was here before is none of this one.
  static core::WriteBatch Format(const std::string& cluster, LeaseId before_leases);
  // From what was written. kUnavailable when nothing was: it is new, lost or a wrong path; kCorrupt
  // when it does not fit together; kBadRequest when it is another cluster's.
  static core::Result<std::unique_ptr<StoreMachine>> Open(MachineOptions options,
                                                          const core::StoreView& view,
                                                          core::Instant now);

  // REQUIRES: CheckRequest(request) is ok.
  void Step(core::Instant now, const Caller& caller, const Request& request, Output* output);
  // Ends leases and watches whose time is over.
  void Tick(core::Instant now, Output* output);
  std::optional<core::Instant> NextDeadline() const;
  Revision revision() const { return revision_; }
  StoreStatus Describe() const;
  size_t waiting() const { return waiting_.size(); }

 private:
  struct Lease {
    std::chrono::seconds ttl{0};
    core::Instant ends;
  };
  struct Waiting {
    Caller caller;
    Watch watch;
    core::Instant until;
  };

  explicit StoreMachine(MachineOptions options) : options_(std::move(options)) {}
  core::Status Read(const core::StoreView& view, core::Instant now);
  core::Status ReadRows(const core::StoreView& view);
  core::Status ReadChanges(const core::StoreView& view);

  Answer Run(core::Instant now, const Get& get, Output* output);
  Answer Run(core::Instant now, const List& list, Output* output);
  Answer Run(core::Instant now, const CompareAndSet& set, Output* output);
  Answer Run(core::Instant now, const GrantLease& grant, Output* output);
  Answer Run(core::Instant now, const KeepAlive& keep, Output* output);
  Answer Run(core::Instant now, const EndLease& end, Output* output);
  Answer Run(core::Instant now, const AskStatus& ask, Output* output);
  // nullopt: there is nothing to tell yet.
  std::optional<Answer> Run(core::Instant now, const Watch& watch, Output* output) const;
  void Wait(Waiting waiting, Output* output);
  bool IsWaiting(const Caller& caller) const;
  // Whether there may be something to tell it.
  bool IsDue(const Waiting& waiting) const { return waiting.watch.from <= revision_; }
  void Tell(const Caller& to, Answer answer, Output* output);

  bool Holds(const Term& term) const;
  core::Status CheckWrites(const CompareAndSet& set) const;
  Compared NotDone(const CompareAndSet& set) const;
  void NextRevision(Output* output);
  void Put(Row row, Output* output);
  void Delete(const std::string& key, Output* output);
  void Remember(Change change, Output* output);
  void Forget(Output* output);
  void RemoveLease(LeaseId id, Output* output);
  void WriteHead(Output* output) const;
  void AnswerWatches(Output* output);

  const MachineOptions options_;
  std::map<std::string, Row, std::less<>> rows_;
  uint64_t bytes_ = 0;  // of rows_
  std::map<LeaseId, Lease> leases_;
  LeaseId last_lease_;
  Revision revision_;
  std::deque<Change> changes_;
  uint64_t changes_bytes_ = 0;
  Revision compacted_;        // changes up to and with this one are forgotten
  uint16_t in_revision_ = 0;  // changes of revision_ so far
  std::vector<Waiting> waiting_;
};

}  // namespace homeport::coordination
