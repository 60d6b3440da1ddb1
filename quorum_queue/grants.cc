// The file: a Cap'n Proto Grants; checksum is XXH3-64 of incarnation, counter and the disks, each
// as a little-endian u64.
#include "quorum_queue/grants.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "core/codec.h"
#include "core/files.h"
#include "quorum_queue/queue.capnp.h"

namespace homeport::quorum_queue {
namespace {

using core::Result;
using core::Status;

struct Record {
  core::Incarnation incarnation;
  uint64_t counter = 0;
  std::vector<Group> groups;
};

uint64_t ChecksumOf(const Record& record) {
  std::vector<uint64_t> words = {record.incarnation.value(), record.counter};
  for (const Group& group : record.groups) {
    for (core::DiskId disk : group.disks) words.push_back(disk.value());
  }
  return XXH3_64bits(words.data(), words.size() * sizeof(uint64_t));
}

Status WriteRecord(const std::string& file, const Record& record) {
  std::string bytes = core::Encode<wire::Grants>([&](wire::Grants::Builder root) {
    root.setVersion(wire::VERSION);
    root.setIncarnation(record.incarnation.value());
    root.setCounter(record.counter);
    auto disks = root.initDisks(static_cast<unsigned>(record.groups.size() * 3));
    for (size_t i = 0; i < record.groups.size() * 3; i++) {
      disks.set(static_cast<unsigned>(i), record.groups[i / 3].disks[i % 3].value());
    }
    root.setChecksum(ChecksumOf(record));
  });
  return core::WriteFileAtomically(file, bytes);
}

Result<Record> ReadRecord(const std::string& file) {
  ASSIGN_OR_RETURN(std::string bytes, core::ReadFile(file));
  Record record;
  Status read = core::Decode<wire::Grants>(bytes, [&](wire::Grants::Reader root) -> Status {
    if (root.getVersion() != wire::VERSION) {
      return Status::Corrupt(fmt::format("it has format {}, this program reads format {}",
                                         root.getVersion(), +wire::VERSION));
    }
    auto disks = root.getDisks();
    if (disks.size() == 0 || disks.size() % 3 != 0) {
      return Status::Corrupt("its disks are not three per group");
    }
    record.incarnation = core::Incarnation(root.getIncarnation());
    record.counter = root.getCounter();
    record.groups.resize(disks.size() / 3);
    for (unsigned i = 0; i < disks.size(); i++) {
      record.groups[i / 3].disks[i % 3] = core::DiskId(disks[i]);
    }
    if (root.getChecksum() != ChecksumOf(record)) return Status::Corrupt("its checksum is wrong");
    return Status::Ok();
  });
  if (read.ok()) return record;
  return Status::Corrupt(
      fmt::format("the grants in {} cannot be used: {}. An epoch given twice could lose data, so "
                  "it is not guessed: "
                  "restore the file as it was last",
                  file, read.message()));
}

}  // namespace

Status LocalGrantStore::Create(const std::string& file, core::Incarnation incarnation,
                               const std::vector<Group>& groups) {
  CHECK(!groups.empty(), "a region has at least one group");
  if (core::Exists(file)) {
    return Status::BadRequest(fmt::format("{} exists already: this region has its grants", file));
  }
  return WriteRecord(file, {incarnation, 0, groups});
}

Result<std::unique_ptr<LocalGrantStore>> LocalGrantStore::Open(const std::string& file,
                                                               core::Incarnation incarnation) {
  ASSIGN_OR_RETURN(Record record, ReadRecord(file));
  if (record.incarnation != incarnation) {
    return Status::BadRequest(fmt::format("{} belongs to incarnation {}, not to {}", file,
                                          record.incarnation.value(), incarnation.value()));
  }
  auto store = std::unique_ptr<LocalGrantStore>(new LocalGrantStore(file, incarnation));
  store->counter_ = record.counter;
  store->groups_ = std::move(record.groups);
  return store;
}

Result<Grant> LocalGrantStore::TakeGrant() {
  // Counted before it is written: after a failed write the file may hold this number, so it is
  // spent.
  counter_++;
  CHECK(counter_ < uint64_t{1} << (64 - kEpochRandomBits), "epoch counters do not run out",
        counter_);
  RETURN_IF_ERROR(WriteRecord(file_, {incarnation_, counter_, groups_}));
  return Grant{MakeEpoch(counter_, core::RandomBits()), groups_};
}

}  // namespace homeport::quorum_queue
