#include "tests/sim/disk_image.h"

#include <fmt/format.h>

#include <algorithm>

#include "quorum_queue/codec.h"
#include "quorum_queue/log_record.h"

namespace homeport::sim {

using quorum_queue::Append;
using quorum_queue::EpochAt;
using quorum_queue::LastEpoch;

void DiskImage::Put(const EntryRun& run, bool missing_only) {
  Seq seq = run.first;
  for (const std::string_view payload : Payloads(run)) {
    if (seq > trimmed_ && !(missing_only && Holds(seq, run.epoch))) {
      entries_[seq] = {run.epoch, std::string(payload)};
      records_[seq] = applying_;
    }
    ++seq;
  }
}

void DiskImage::NoteMended(Seq first, uint64_t count) {
  for (Seq seq = first; seq < first + count; ++seq) {
    const auto entry = entries_.find(seq);
    if (entry != entries_.end()) mended_[seq] = entry->second.epoch;
  }
}

void DiskImage::Lose(quorum_queue::RecordNumber number) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (records_[entry->first] != number) {
      ++entry;
      continue;
    }
    damaged_.emplace(entry->first, entry->second.epoch);
    mended_.erase(entry->first);
    entry = entries_.erase(entry);
  }
}

std::optional<std::string> DiskImage::Apply(quorum_queue::RecordNumber number,
                                            std::string_view header,
                                            const core::SharedBytes& body) {
  applying_ = number;
  if (auto wrong = ApplyRecord(header, body)) return wrong;
  mended_.erase(mended_.begin(), mended_.upper_bound(trimmed_));
  for (const auto& [seq, epoch] : mended_) {
    if (!Holds(seq, epoch)) {
      return fmt::format("mend: a disk has lost {} by {:x}, which the mender filled in",
                         seq.value(), epoch.value());
    }
  }
  return std::nullopt;
}

std::optional<std::string> DiskImage::ApplyRecord(std::string_view header,
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
    // As a replica: of two records it reads from the first.
    Put(fill->run, true);
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
    Put(append->run, false);
    committed_ = std::max(committed_, append->committed);
    return promise(append->epoch);
  }
  if (const auto* one = std::get_if<quorum_queue::Trim>(&*decoded)) trim(one->through);
  if (std::holds_alternative<quorum_queue::RestoreBegin>(*decoded)) {
    *this = DiskImage();
    recovering_ = true;
  } else if (const auto* all = std::get_if<quorum_queue::Restored>(&*decoded)) {
    recovering_ = false;
    for (const auto& one : all->streams) {
      promised_ = std::max(promised_, one.promised);
      chain_ = one.chain;
      committed_ = one.committed;
      trim(one.trimmed);
    }
    std::erase_if(entries_,
                  [&](const auto& e) { return e.second.epoch != EpochAt(chain_, e.first); });
  }
  return std::nullopt;
}

bool DiskImage::Holds(Seq seq, WriterEpoch epoch) const {
  if (seq <= trimmed_) return true;
  const auto found = entries_.find(seq);
  return found != entries_.end() && found->second.epoch == epoch;
}

bool DiskImage::Held(Seq seq, WriterEpoch epoch) const {
  return Holds(seq, epoch) || damaged_.contains({seq, epoch});
}

}  // namespace homeport::sim
