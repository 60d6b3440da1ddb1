// What a stream promises to those outside: one checker per promise.
#include <fmt/format.h>

#include <algorithm>

#include "quorum_queue/batch_log.h"
#include "quorum_queue/codec.h"
#include "tests/sim/checker.h"

namespace homeport::sim {
namespace {

// One payload and one epoch per seq, over all acknowledgements and all reads.
class PayloadChecker : public Checker {
 public:
  std::string_view name() const override { return "payload"; }
  void Acknowledged(const History& history, WriterEpoch writer, Seq first, Seq through,
                    const Disks&) override {
    const auto& submitted = history.writers.at(writer).submitted;
    for (Seq seq = first; seq <= through; ++seq) {
      const auto mine = submitted.find(seq);
      if (mine != submitted.end()) Know("an acknowledgement", seq, writer, mine->second);
    }
  }
  void Read(const History&, std::string_view reader, Seq, const EntryRun& run) override {
    Seq seq = run.first;
    for (const std::string_view payload : Payloads(run)) {
      Know(reader, seq, run.epoch, payload);
      ++seq;
    }
  }
  void End(const History&, Seq, Seq next, Seq, const Disks&) override {
    if (!known_.empty() && known_.rbegin()->first >= next) {
      Fail(fmt::format("{} was given out, and the final log ends at {}",
                       known_.rbegin()->first.value(), next.value() - 1));
    }
  }

 private:
  void Know(std::string_view who, Seq seq, WriterEpoch epoch, std::string_view payload) {
    const auto [known, is_new] = known_.try_emplace(seq);
    if (is_new) {
      known->second = {epoch, std::string(payload)};
    } else if (known->second.epoch != epoch || known->second.payload != payload) {
      Fail(fmt::format("{} has seq {} as '{}' by epoch {:x}, given out before as '{}' by {:x}", who,
                       seq.value(), payload.substr(0, 40), epoch.value(),
                       known->second.payload.substr(0, 40), known->second.epoch.value()));
    }
  }
  std::map<Seq, CheckedEntry> known_;
};

// A writer opens once, where it decided to; its acknowledgements are contiguous from there on.
class AckChecker : public Checker {
 public:
  std::string_view name() const override { return "ack"; }
  void Decided(const History& history, WriterEpoch writer, Seq open) override {
    const auto life = history.writers.find(writer);
    if (life != history.writers.end() && life->second.open && *life->second.open != open) {
      Fail("a writer decided twice");
    }
  }
  void Opened(const History& history, WriterEpoch writer, Seq open) override {
    const WriterLife& life = history.writers.at(writer);
    if (life.opened) Fail("a writer opened twice");
    if (life.open != open) Fail("a writer opened elsewhere than it decided");
  }
  void Acknowledged(const History& history, WriterEpoch writer, Seq first, Seq through,
                    const Disks&) override {
    const WriterLife& life = history.writers.at(writer);
    if (!life.opened || through < first) {
      Fail(fmt::format("{:x} acknowledged {} after {}", writer.value(), through.value(),
                       life.acknowledged.value()));
      return;
    }
    if (life.submitted.upper_bound(through) == life.submitted.begin() ||
        std::prev(life.submitted.upper_bound(through))->first != through) {
      Fail(fmt::format("{:x} acknowledged {}, never submitted", writer.value(), through.value()));
    }
  }
};

// What was acknowledged is never lost: not by a takeover that begins before it, not in the end.
class LostChecker : public Checker {
 public:
  std::string_view name() const override { return "lost"; }
  void Decided(const History& history, WriterEpoch writer, Seq open) override {
    for (const auto& [epoch, other] : history.writers) {
      if (epoch < writer && other.opened && other.acknowledged >= open) {
        Fail(fmt::format("epoch {:x} opens at {}, but {:x} acknowledged {}", writer.value(),
                         open.value(), epoch.value(), other.acknowledged.value()));
      }
    }
  }
  void End(const History& history, Seq from, Seq next, Seq trimmed, const Disks&) override {
    if (from > trimmed + 1) {
      Fail(fmt::format("reading began at {}, and only {} was trimmed", from.value(),
                       trimmed.value()));
    }
    if (next <= history.acknowledged_end) {
      Fail(fmt::format("read up to {}, and {} was acknowledged", next.value() - 1,
                       history.acknowledged_end.value()));
    }
  }
};

// Once a later takeover has decided, an older writer gets nothing more committed from there on.
class ZombieChecker : public Checker {
 public:
  std::string_view name() const override { return "zombie"; }
  void Acknowledged(const History& history, WriterEpoch writer, Seq, Seq through,
                    const Disks&) override {
    for (auto later = history.writers.upper_bound(writer); later != history.writers.end();
         ++later) {
      if (later->second.open && through >= *later->second.open) {
        Fail(fmt::format("{:x} acknowledged {} though {:x} had decided to open at {}",
                         writer.value(), through.value(), later->first.value(),
                         later->second.open->value()));
      }
    }
  }
};

// A reader sees 1, 2, 3 ... without a gap, and nothing that no writer has committed.
class ReadChecker : public Checker {
 public:
  std::string_view name() const override { return "read"; }
  void Read(const History& history, std::string_view reader, Seq expected,
            const EntryRun& run) override {
    if (run.empty() || run.first != expected) {
      Fail(fmt::format("{} got {} instead of {}", reader, run.first.value(), expected.value()));
    } else if (run.last() > history.committed) {
      Fail(fmt::format("{} got {}, and {} is committed", reader, run.last().value(),
                       history.committed.value()));
    }
  }
};

// What is acknowledged is on two disks of one group at that moment.
class DiskChecker : public Checker {
 public:
  std::string_view name() const override { return "disk"; }
  void Acknowledged(const History&, WriterEpoch writer, Seq first, Seq through,
                    const Disks& disks) override {
    for (Seq seq = first; seq <= through; ++seq) {
      quorum_queue::ReplicaSet holding = 0;
      for (size_t i = 0; i < disks.size(); ++i) {
        if (disks[i]->Held(seq, writer)) holding |= quorum_queue::ReplicaSet{1} << i;
      }
      if (quorum_queue::HasQuorumInAnyGroup(holding)) continue;
      // One is enough while the second is being replaced.
      for (size_t i = 0; i < disks.size(); ++i) {
        if (disks[i]->recovering()) holding |= quorum_queue::ReplicaSet{1} << i;
      }
      if (quorum_queue::HasQuorumInAnyGroup(holding)) continue;
      Fail(fmt::format("{:x} acknowledged {}, which is on disks {:b} only", writer.value(),
                       seq.value(), holding));
      return;
    }
  }
};

}  // namespace

std::vector<std::unique_ptr<Checker>> StreamCheckers() {
  std::vector<std::unique_ptr<Checker>> checkers;
  checkers.push_back(std::make_unique<PayloadChecker>());
  checkers.push_back(std::make_unique<AckChecker>());
  checkers.push_back(std::make_unique<LostChecker>());
  checkers.push_back(std::make_unique<ZombieChecker>());
  checkers.push_back(std::make_unique<ReadChecker>());
  checkers.push_back(std::make_unique<DiskChecker>());
  return checkers;
}

}  // namespace homeport::sim
