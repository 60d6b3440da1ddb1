// The file: a Cap'n Proto Grants; checksum is XXH3-64 of these as little-endian u64: incarnation,
// counter, last group, what is reserved (unless nothing is), and of each group its id, the number
// since which it drains, its disks, and the XXH3-64 of each endpoint.
#include "quorum_queue/grants.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "core/codec.h"
#include "core/files.h"
#include "quorum_queue/batch_log.h"
#include "quorum_queue/queue.capnp.h"

namespace homeport::quorum_queue {
namespace {

using core::Result;
using core::Status;

constexpr uint16_t kGrantsVersion = 3;
constexpr uint16_t kOldestVersion = 2;  // without what the coordination store reserved

uint64_t ChecksumOf(const GrantRecord& record) {
  std::vector<uint64_t> words = {record.incarnation.value(), record.counter,
                                 record.last_group.value()};
  if (record.reserved_through != 0) words.push_back(record.reserved_through);
  for (const Group& group : record.groups) {
    words.push_back(group.id.value());
    words.push_back(group.drained_at);
    for (const core::DiskId disk : group.disks) words.push_back(disk.value());
    for (const std::string& one : group.endpoints) {
      words.push_back(XXH3_64bits(one.data(), one.size()));
    }
  }
  return XXH3_64bits(words.data(), words.size() * sizeof(uint64_t));
}

Status WriteRecord(const std::string& file, const GrantRecord& record) {
  std::string bytes = core::Encode<wire::Grants>([&](wire::Grants::Builder root) {
    root.setVersion(kGrantsVersion);
    root.setIncarnation(record.incarnation.value());
    root.setCounter(record.counter);
    root.setLastGroup(record.last_group.value());
    root.setReservedThrough(record.reserved_through);
    auto groups = root.initGroups(static_cast<unsigned>(record.groups.size()));
    for (unsigned i = 0; i < groups.size(); ++i) {
      const Group& group = record.groups[i];
      groups[i].setId(group.id.value());
      groups[i].setDrained(group.drained_at);
      auto disks = groups[i].initDisks(3);
      auto endpoints = groups[i].initEndpoints(3);
      for (unsigned slot = 0; slot < 3; ++slot) {
        disks.set(slot, group.disks[slot].value());
        endpoints.set(slot, group.endpoints[slot].c_str());
      }
    }
    root.setChecksum(ChecksumOf(record));
  });
  return core::WriteFileAtomically(file, bytes);
}

Result<Group> ReadGroup(wire::GrantGroup::Reader from) {
  Group group;
  const auto disks = from.getDisks();
  const auto endpoints = from.getEndpoints();
  if (disks.size() != 3 || endpoints.size() != 3) {
    return Status::Corrupt("a group of it has not three disks and three endpoints");
  }
  group.id = GroupId(from.getId());
  group.drained_at = from.getDrained();
  group.state = group.drained_at == 0 ? GroupState::kActive : GroupState::kDraining;
  for (unsigned slot = 0; slot < 3; ++slot) {
    group.disks[slot] = core::DiskId(disks[slot]);
    group.endpoints[slot] = core::View(endpoints[slot]);
  }
  return group;
}

Result<GrantRecord> ReadRecord(const std::string& file) {
  ASSIGN_OR_RETURN(std::string bytes, core::ReadFile(file));
  GrantRecord record;
  Status read = core::Decode<wire::Grants>(bytes, [&](wire::Grants::Reader root) -> Status {
    if (root.getVersion() < kOldestVersion || root.getVersion() > kGrantsVersion) {
      return Status::Corrupt(fmt::format("it has format {}, this program reads formats {} to {}",
                                         root.getVersion(), kOldestVersion, kGrantsVersion));
    }
    record.incarnation = core::Incarnation(root.getIncarnation());
    record.counter = root.getCounter();
    record.last_group = GroupId(root.getLastGroup());
    record.reserved_through = root.getReservedThrough();
    const auto groups = root.getGroups();
    if (groups.size() == 0 || groups.size() > kGroupsMax) {
      return Status::Corrupt("it has no groups, or too many");
    }
    for (const auto one : groups) {
      ASSIGN_OR_RETURN(Group group, ReadGroup(one));
      record.groups.push_back(std::move(group));
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
  GrantRecord record;
  record.incarnation = incarnation;
  for (const Group& group : groups) {
    record.groups.push_back(group);
    record.groups.back().id = ++record.last_group;
  }
  return WriteRecord(file, record);
}

Result<std::unique_ptr<LocalGrantStore>> LocalGrantStore::Open(const std::string& file,
                                                               core::Incarnation incarnation) {
  ASSIGN_OR_RETURN(GrantRecord record, ReadRecord(file));
  if (record.incarnation != incarnation) {
    return Status::BadRequest(fmt::format("{} belongs to incarnation {}, not to {}", file,
                                          record.incarnation.value(), incarnation.value()));
  }
  return std::unique_ptr<LocalGrantStore>(new LocalGrantStore(file, std::move(record)));
}

Result<Grant> LocalGrantStore::Write(Result<GrantRecord> changed) {
  if (!changed.ok()) return changed.status();
  if (record_.reserved_through != 0 && changed->counter > record_.reserved_through) {
    return Status::Unavailable(fmt::format(
        "{}: all writer epochs up to {} that the coordination store reserved are given: "
        "start again when it answers",
        file_, record_.reserved_through));
  }
  // After a failed write the file may hold this number, so it is spent. It may hold the change,
  // too, or not: whoever asked for it asks again.
  record_.counter = changed->counter;
  record_.last_group = changed->last_group;
  RETURN_IF_ERROR(WriteRecord(file_, *changed));
  record_ = std::move(changed).value();
  return Grant{MakeEpoch(record_.counter, core::RandomBits()), record_.groups};
}

Status LocalGrantStore::Reserve(uint64_t first, uint64_t last) {
  CHECK(first > record_.counter && first <= last && last > record_.reserved_through,
        "a block lies above all that was given and reserved", first, last, record_.counter);
  GrantRecord changed = record_;
  changed.counter = first - 1;
  changed.reserved_through = last;
  // Perhaps it is in the file, too, after a failed write: the block is nobody else's anyway.
  RETURN_IF_ERROR(WriteRecord(file_, changed));
  record_ = std::move(changed);
  return {};
}

Result<Grant> LocalGrantStore::TakeGrant() {
  return Write(NextGrant(record_));
}
Result<Grant> LocalGrantStore::AddGroup(Group group) {
  return Write(WithGroup(record_, std::move(group)));
}
Result<Grant> LocalGrantStore::DrainGroup(GroupId id) {
  return Write(WithDraining(record_, id));
}
Result<Grant> LocalGrantStore::RemoveGroup(GroupId id, const std::vector<Group>& seen) {
  return Write(WithoutGroup(record_, id, seen));
}
Result<Grant> LocalGrantStore::ReplaceDisk(GroupId id, size_t slot, core::DiskId disk) {
  return Write(WithDisk(record_, id, slot, disk));
}

}  // namespace homeport::quorum_queue
