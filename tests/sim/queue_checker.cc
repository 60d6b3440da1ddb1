#include "tests/sim/queue_checker.h"

#include <fmt/format.h>

#include <algorithm>

#include "quorum_queue/batch_log.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/log_record.h"

namespace homeport::sim {

using quorum_queue::Append;
using quorum_queue::EpochAt;
using quorum_queue::LastEpoch;

// ---- DiskImage

void DiskImage::Put(const EntryRun& run) {
  Seq seq = run.first;
  for (const std::string_view payload : Payloads(run)) {
    if (seq > trimmed_) entries_[seq] = {run.epoch, std::string(payload)};
    ++seq;
  }
}

std::optional<std::string> DiskImage::Apply(std::string_view header,
                                            const core::SharedBytes& body) {
  auto decoded = quorum_queue::DecodeLogRecord(header, body.size());
  if (!decoded.ok()) return "disk: a record cannot be decoded: " + decoded.status().message();
  const auto promise = [&](WriterEpoch epoch) -> std::optional<std::string> {
    if (epoch < promised_) {
      return fmt::format("disk: promised goes back from {} to {}", promised_.value(),
                         epoch.value());
    }
    promised_ = epoch;
    return std::nullopt;
  };
  const auto trim = [&](Seq through) {
    trimmed_ = std::max(trimmed_, through);
    committed_ = std::max(committed_, trimmed_);
    entries_.erase(entries_.begin(), entries_.upper_bound(trimmed_));
  };
  if (const auto* fence = std::get_if<quorum_queue::Fence>(&*decoded)) return promise(fence->epoch);
  if (auto* fill = std::get_if<quorum_queue::Fill>(&*decoded)) {
    fill->run.body = body;
    Put(fill->run);
    return promise(fill->epoch);
  }
  if (auto* append = std::get_if<Append>(&*decoded)) {
    trim(append->trimmed);
    if (LastEpoch(append->chain) > LastEpoch(chain_)) {
      chain_ = append->chain;
      std::erase_if(entries_,
                    [&](const auto& e) { return e.second.epoch != EpochAt(chain_, e.first); });
    }
    append->run.body = body;
    Put(append->run);
    committed_ = std::max(committed_, append->committed);
    return promise(append->epoch);
  }
  if (const auto* one = std::get_if<quorum_queue::Trim>(&*decoded)) trim(one->through);
  return std::nullopt;
}

bool DiskImage::Holds(Seq seq, WriterEpoch epoch) const {
  if (seq <= trimmed_) return true;
  const auto found = entries_.find(seq);
  return found != entries_.end() && found->second.epoch == epoch;
}

// ---- QueueChecker

void QueueChecker::Fail(std::string what) {
  if (!violation_) violation_ = std::move(what);
}

void QueueChecker::Know(std::string_view who, Seq seq, CheckedEntry entry) {
  const auto [known, is_new] = known_.try_emplace(seq, entry);
  if (is_new || known->second == entry) return;
  Fail(fmt::format("payload: {} has seq {} as '{}' by epoch {:x}, given out before as '{}' by {:x}",
                   who, seq.value(), entry.payload.substr(0, 40), entry.epoch.value(),
                   known->second.payload.substr(0, 40), known->second.epoch.value()));
}

void QueueChecker::Submitted(WriterEpoch writer, Seq seq, std::string payload) {
  writers_[writer].submitted[seq] = std::move(payload);
}

void QueueChecker::Decided(WriterEpoch writer, Seq open) {
  WriterLife& life = writers_[writer];
  if (life.open && *life.open != open) Fail("ack: a writer decided twice");
  life.open = open;
  life.submitted[open] = "";
  for (const auto& [epoch, other] : writers_) {
    if (epoch < writer && other.opened && other.acknowledged >= open) {
      Fail(fmt::format("lost: epoch {:x} opens at {}, but {:x} acknowledged {}", writer.value(),
                       open.value(), epoch.value(), other.acknowledged.value()));
    }
  }
}

void QueueChecker::Opened(WriterEpoch writer, Seq open) {
  WriterLife& life = writers_[writer];
  if (life.opened) Fail("ack: a writer opened twice");
  if (life.open != open) Fail("ack: a writer opened elsewhere than it decided");
  life.opened = true;
  life.acknowledged = open - 1;
}

void QueueChecker::Acknowledged(WriterEpoch writer, Seq through,
                                const std::vector<const DiskImage*>& disks) {
  WriterLife& life = writers_[writer];
  if (!life.opened || through <= life.acknowledged) {
    Fail(fmt::format("ack: {:x} acknowledged {} after {}", writer.value(), through.value(),
                     life.acknowledged.value()));
    return;
  }
  for (const auto& [epoch, other] : writers_) {
    if (epoch > writer && other.open && through >= *other.open) {
      Fail(fmt::format("zombie: {:x} acknowledged {} though {:x} had decided to open at {}",
                       writer.value(), through.value(), epoch.value(), other.open->value()));
    }
  }
  for (Seq seq = life.acknowledged + 1; seq <= through; ++seq) {
    const auto mine = life.submitted.find(seq);
    if (mine == life.submitted.end()) {
      Fail(fmt::format("ack: {:x} acknowledged {}, never submitted", writer.value(), seq.value()));
      return;
    }
    Know("an acknowledgement", seq, {writer, mine->second});
    if (check_disks) CheckOnDisks(writer, seq, disks);
    ++acknowledged_count_;
  }
  life.acknowledged = through;
  acknowledged_end_ = std::max(acknowledged_end_, through);
}

void QueueChecker::CheckOnDisks(WriterEpoch writer, Seq seq,
                                const std::vector<const DiskImage*>& disks) {
  quorum_queue::ReplicaSet holding = 0;
  for (size_t i = 0; i < disks.size(); ++i) {
    if (disks[i]->Holds(seq, writer)) holding |= quorum_queue::ReplicaSet{1} << i;
  }
  if (!quorum_queue::HasQuorumInAnyGroup(holding)) {
    Fail(fmt::format("disk: {:x} acknowledged {}, which is on disks {:b} only", writer.value(),
                     seq.value(), holding));
  }
}

void QueueChecker::Committed(Seq committed) {
  committed_ = std::max(committed_, committed);
}

void QueueChecker::Read(std::string_view reader, Seq expected, const EntryRun& run) {
  if (run.empty() || run.first != expected) {
    Fail(fmt::format("read: {} got {} instead of {}", reader, run.first.value(), expected.value()));
    return;
  }
  if (run.last() > committed_) {
    Fail(fmt::format("read: {} got {}, and {} is committed", reader, run.last().value(),
                     committed_.value()));
  }
  Seq seq = run.first;
  for (const std::string_view payload : Payloads(run)) {
    Know(reader, seq, {run.epoch, std::string(payload)});
    ++seq;
  }
}

void QueueChecker::AllRead(Seq from, Seq next, Seq trimmed) {
  if (from > trimmed + 1) {
    Fail(fmt::format("lost: reading began at {}, and only {} was trimmed", from.value(),
                     trimmed.value()));
  }
  if (next <= acknowledged_end_) {
    Fail(fmt::format("lost: read up to {}, and {} was acknowledged", next.value() - 1,
                     acknowledged_end_.value()));
  }
}

}  // namespace homeport::sim
