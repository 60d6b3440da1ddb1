// The file: a Cap'n Proto Lives; checksum is XXH3-64 of these as little-endian u64: incarnation,
// and of each disk its id, number and random part of admitted and of offered, and mark.
#include "quorum_queue/life_store.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "core/codec.h"
#include "core/files.h"
#include "quorum_queue/batch_log.h"
#include "quorum_queue/queue.capnp.h"

namespace homeport::quorum_queue {

using core::Result;
using core::Status;

namespace {

constexpr uint16_t kLivesVersion = 1;

uint64_t ChecksumOf(core::Incarnation incarnation, const std::vector<DiskLife>& lives) {
  std::vector<uint64_t> words = {incarnation.value()};
  for (const DiskLife& one : lives) {
    words.insert(words.end(), {one.disk.value(), one.admitted.number, one.admitted.random,
                               one.offered.number, one.offered.random, one.mark.value()});
  }
  return XXH3_64bits(words.data(), words.size() * sizeof(uint64_t));
}

Life ReadLife(wire::Life::Reader from) {
  return {from.getNumber(), from.getRandom()};
}
void WriteLife(const Life& life, wire::Life::Builder to) {
  to.setNumber(life.number);
  to.setRandom(life.random);
}

}  // namespace

Result<std::vector<DiskLife>> LocalLifeStore::Read() {
  std::vector<DiskLife> lives;
  if (!core::Exists(file_)) return lives;
  ASSIGN_OR_RETURN(const std::string bytes, core::ReadFile(file_));
  const Status read = core::Decode<wire::Lives>(bytes, [&](wire::Lives::Reader root) -> Status {
    if (root.getVersion() != kLivesVersion) {
      return Status::Corrupt(fmt::format("it has format {}, this program reads format {}",
                                         root.getVersion(), kLivesVersion));
    }
    if (root.getIncarnation() != incarnation_.value()) {
      return Status::Corrupt(fmt::format("it is of incarnation {}", root.getIncarnation()));
    }
    if (root.getDisks().size() > 3 * kGroupsMax) return Status::Corrupt("it has too many disks");
    for (const auto one : root.getDisks()) {
      lives.push_back({core::DiskId(one.getDisk()), ReadLife(one.getAdmitted()),
                       ReadLife(one.getOffered()), RecordNumber(one.getMark())});
    }
    if (root.getChecksum() != ChecksumOf(incarnation_, lives)) {
      return Status::Corrupt("its checksum is wrong");
    }
    return Status::Ok();
  });
  if (read.ok()) return lives;
  return Status::Corrupt(fmt::format(
      "{} cannot be used: {}. It tells a replica's directory from an old copy of it. If none was "
      "put back from a backup since, move the file away: it is made anew from what the replicas "
      "say",
      file_, read.message()));
}

Status LocalLifeStore::Write(const std::vector<DiskLife>& lives) {
  const std::string bytes = core::Encode<wire::Lives>([&](wire::Lives::Builder root) {
    root.setVersion(kLivesVersion);
    root.setIncarnation(incarnation_.value());
    auto disks = root.initDisks(static_cast<uint32_t>(lives.size()));
    for (uint32_t i = 0; i < disks.size(); ++i) {
      disks[i].setDisk(lives[i].disk.value());
      WriteLife(lives[i].admitted, disks[i].initAdmitted());
      WriteLife(lives[i].offered, disks[i].initOffered());
      disks[i].setMark(lives[i].mark.value());
    }
    root.setChecksum(ChecksumOf(incarnation_, lives));
  });
  return core::WriteFileAtomically(file_, bytes);
}

}  // namespace homeport::quorum_queue
