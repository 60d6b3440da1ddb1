// WriterHarness: a Writer with three fake replicas per group, for tests. Messages wait in queues
// until the test delivers them; a fake replica keeps to the rules of design section 3 in the
// simplest way.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "quorum_queue/codec.h"
#include "quorum_queue/tests/queue_test_util.h"
#include "quorum_queue/writer.h"

namespace homeport::quorum_queue {

inline core::Instant At(int64_t ms) {
  return core::Instant(std::chrono::milliseconds(1000 + ms));
}

inline DiskId DiskOf(size_t replica) {
  return DiskId(100 + replica);
}

struct FakeEntry {
  WriterEpoch epoch;
  std::string payload;
  bool operator==(const FakeEntry&) const = default;
};

struct FakeReplica {
  DiskId disk;
  WriterEpoch promised;
  Chain chain;
  Seq committed;
  Seq trimmed;
  std::map<Seq, FakeEntry> entries;
  bool full = false;

  void Put(const EntryRun& run) {
    Seq seq = run.first;
    for (const std::string_view payload : Payloads(run)) {
      if (seq > trimmed) entries[seq] = {run.epoch, std::string(payload)};
      ++seq;
    }
  }
  ReplicaAnswer On(const Fence& fence) {
    if (fence.epoch < promised) return Fenced{fence.stream, fence.epoch, disk, promised};
    promised = fence.epoch;
    FenceAnswer answer{fence.stream, fence.epoch, disk, chain, committed, trimmed, {}};
    answer.after = fence.after;
    for (const auto& [seq, entry] : entries) {
      if (seq > std::max(committed, fence.after)) {
        answer.runs.push_back(MakeRun(seq.value(), entry.epoch.value(), {entry.payload}));
      }
    }
    return answer;
  }
  ReplicaAnswer On(const Fill& fill) {
    if (fill.epoch < promised) return Fenced{fill.stream, fill.epoch, disk, promised};
    if (full) return Refused{fill.stream, fill.epoch, disk, "full"};
    promised = fill.epoch;
    Put(fill.run);
    return Stored{fill.stream, fill.epoch, disk, true, fill.run.first, fill.run.count(), committed};
  }
  ReplicaAnswer On(const Append& append) {
    if (append.epoch < promised) return Fenced{append.stream, append.epoch, disk, promised};
    if (full && !append.run.empty()) return Refused{append.stream, append.epoch, disk, "full"};
    promised = append.epoch;
    trimmed = std::max(trimmed, append.trimmed);
    if (LastEpoch(append.chain) > LastEpoch(chain)) {
      chain = append.chain;
      std::erase_if(entries,
                    [&](const auto& e) { return e.second.epoch != EpochAt(chain, e.first); });
    }
    Put(append.run);
    committed = std::max({committed, append.committed, trimmed});
    return Stored{append.stream,    append.epoch,       disk,     false,
                  append.run.first, append.run.count(), committed};
  }
};

inline Grant GrantOf(uint64_t epoch, size_t groups) {
  Grant grant;
  grant.epoch = WriterEpoch(epoch);
  for (size_t g = 0; g < groups; ++g) {
    grant.groups.push_back({{DiskOf(3 * g), DiskOf(3 * g + 1), DiskOf(3 * g + 2)}});
  }
  return grant;
}

inline constexpr core::Duration kNever = std::chrono::hours(1);

class WriterHarness {
 public:
  explicit WriterHarness(uint64_t epoch = 5, size_t groups = 1, WriterOptions options = {})
      : WriterHarness(GrantOf(epoch, groups), options) {}
  WriterHarness(const Grant& grant, WriterOptions options) {
    options.stream = kTestStream;
    // Not among what is sent, unless a test asks for it.
    if (options.look_after == WriterOptions().look_after) options.look_after = kNever;
    replicas.resize(3 * grant.groups.size());
    sent.resize(replicas.size());
    for (size_t r = 0; r < replicas.size(); ++r) replicas[r].disk = DiskOf(r);
    writer = std::make_unique<Writer>(options, grant);
  }

  void Step(WriterEvent event) {
    std::vector<WriterEffect> effects;
    writer->Step(At(now_ms), std::move(event), &effects);
    for (WriterEffect& effect : effects) {
      if (auto* send = std::get_if<SendToReplica>(&effect)) {
        sent[3 * send->to.group + send->to.slot].push_back(std::move(send->request));
      } else if (auto* opened_now = std::get_if<OpenedEffect>(&effect)) {
        opened.push_back(opened_now->open.value());
      } else if (auto* commit = std::get_if<CommittedEffect>(&effect)) {
        commits.push_back(commit->committed.value());
      } else {
        stopped = std::get<StoppedEffect>(effect).by;
      }
    }
  }
  void Tick(int64_t ms) {
    now_ms += ms;
    Step(WriterTick{});
  }
  // Fires timers one after another, as a driver would, for `ms`.
  void RunTimers(int64_t ms) {
    const core::Instant end = At(now_ms + ms);
    while (true) {
      const auto deadline = writer->NextDeadline();
      if (!deadline || *deadline > end) break;
      const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(*deadline - At(0));
      now_ms = std::max<int64_t>(now_ms, since.count());
      Step(WriterTick{});
    }
    now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(end - At(0)).count();
  }

  void Receive(size_t replica, ReplicaAnswer answer) {
    Step(AnswerReceived{{static_cast<uint16_t>(replica / 3), static_cast<uint8_t>(replica % 3)},
                        std::move(answer)});
  }
  // The fake replica handles its oldest request and answers.
  void Deliver(size_t replica) {
    ReplicaAnswer answer = Handle(replica);
    Receive(replica, std::move(answer));
  }
  // Handles the oldest request; the answer is the test's to send.
  ReplicaAnswer Handle(size_t replica) {
    ReplicaRequest request = std::move(sent[replica].front());
    sent[replica].pop_front();
    FakeReplica& fake = replicas[replica];
    if (auto* fence = std::get_if<Fence>(&request)) return fake.On(*fence);
    if (auto* fill = std::get_if<Fill>(&request)) return fake.On(*fill);
    return fake.On(std::get<Append>(request));
  }
  void DeliverAll(const std::vector<size_t>& to) {
    bool any = true;
    while (any) {
      any = false;
      for (const size_t replica : to) {
        while (!sent[replica].empty()) {
          Deliver(replica);
          any = true;
        }
      }
    }
  }
  // Takes over an empty stream: Open at 1 is committed.
  void Open() {
    Step(WriterTick{});
    std::vector<size_t> all;
    for (size_t r = 0; r < replicas.size(); ++r) all.push_back(r);
    DeliverAll(all);
    RunTimers(10);
    DeliverAll(all);
    ClearSent();
  }
  void ClearSent() {
    for (auto& queue : sent) queue.clear();
  }
  uint64_t Submit(const std::string& payload) { return writer->Submit(payload).value().value(); }
  void SubmitAndFlush(const std::string& payload) {
    Submit(payload);
    Step(WriterFlush{});
  }
  template <class T>
  const T& SentTo(size_t replica, size_t i = 0) const {
    return std::get<T>(sent.at(replica).at(i));
  }
  WriterStatus Status() const { return writer->Status(); }

  int64_t now_ms = 0;
  std::unique_ptr<Writer> writer;
  std::vector<FakeReplica> replicas;
  std::vector<std::deque<ReplicaRequest>> sent;  // by replica, not yet delivered
  std::vector<uint64_t> opened;
  std::vector<uint64_t> commits;
  std::optional<WriterEpoch> stopped;
};

}  // namespace homeport::quorum_queue
