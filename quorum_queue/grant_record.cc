// Changes of the grant record: what is allowed, and what it is then.
#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "core/config.h"
#include "quorum_queue/batch_log.h"
#include "quorum_queue/grants.h"

namespace homeport::quorum_queue {

using core::DiskId;
using core::Result;
using core::Status;

namespace {

std::vector<Group>::iterator Find(GrantRecord* record, GroupId id) {
  return std::find_if(record->groups.begin(), record->groups.end(),
                      [&](const Group& group) { return group.id == id; });
}

Status Unknown(GroupId id) {
  return Status::BadRequest(
      fmt::format("there is no group {}: it never was, or was removed", id.value()));
}

bool HasDisk(const GrantRecord& record, DiskId disk) {
  return std::any_of(record.groups.begin(), record.groups.end(), [&](const Group& group) {
    return std::find(group.disks.begin(), group.disks.end(), disk) != group.disks.end();
  });
}

Status CheckNewDisk(const GrantRecord& record, DiskId disk) {
  if (disk == DiskId(0)) return Status::BadRequest("disk id 0 is no disk's");
  if (HasDisk(record, disk)) {
    return Status::BadRequest(
        fmt::format("disk {:016x} has a place already: one disk holds one copy", disk.value()));
  }
  return Status::Ok();
}

}  // namespace

GrantRecord NextGrant(GrantRecord record) {
  ++record.counter;
  CHECK(record.counter < uint64_t{1} << (64 - kEpochRandomBits), "epoch counters do not run out",
        record.counter);
  return record;
}

Result<GrantRecord> WithGroup(GrantRecord record, Group group) {
  if (record.groups.size() >= kGroupsMax) {
    return Status::BadRequest(fmt::format("a region has at most {} groups", kGroupsMax));
  }
  if (record.last_group >= GroupId(core::kGroupNumberMax)) {
    return Status::BadRequest(
        fmt::format("a region may have {} groups in its life, and this one "
                    "had them",
                    core::kGroupNumberMax));
  }
  for (size_t slot = 0; slot < group.disks.size(); ++slot) {
    RETURN_IF_ERROR(CheckNewDisk(record, group.disks[slot]));
    if (std::count(group.disks.begin(), group.disks.end(), group.disks[slot]) > 1) {
      return Status::BadRequest(
          fmt::format("disk {:016x} is given twice: a group has three", group.disks[slot].value()));
    }
  }
  record = NextGrant(std::move(record));
  group.id = ++record.last_group;
  group.state = GroupState::kActive;
  group.drained_at = 0;
  record.groups.push_back(std::move(group));
  return record;
}

Result<GrantRecord> WithDraining(GrantRecord record, GroupId id) {
  const auto group = Find(&record, id);
  if (group == record.groups.end()) return Unknown(id);
  if (group->state == GroupState::kDraining) return NextGrant(std::move(record));
  const auto active = std::count_if(record.groups.begin(), record.groups.end(),
                                    [](const Group& g) { return g.state == GroupState::kActive; });
  if (active == 1) {
    return Status::BadRequest(
        fmt::format("group {} is the last active one: add another first", id.value()));
  }
  group->state = GroupState::kDraining;
  record = NextGrant(std::move(record));
  Find(&record, id)->drained_at = record.counter;
  return record;
}

Result<GrantRecord> WithoutGroup(GrantRecord record, GroupId id, const std::vector<Group>& seen) {
  const auto group = Find(&record, id);
  if (group == record.groups.end()) return Unknown(id);
  if (group->state != GroupState::kDraining) {
    return Status::BadRequest(fmt::format("group {} is active: drain it first", id.value()));
  }
  if (record.groups != seen) {
    return Status::BadRequest("the groups have changed meanwhile: look again");
  }
  record.groups.erase(group);
  return NextGrant(std::move(record));
}

Result<GrantRecord> WithDisk(GrantRecord record, GroupId id, size_t slot, DiskId disk) {
  const auto group = Find(&record, id);
  if (group == record.groups.end()) return Unknown(id);
  if (slot >= group->disks.size()) {
    return Status::BadRequest(fmt::format("a group has three slots; given: {}", slot));
  }
  RETURN_IF_ERROR(CheckNewDisk(record, disk));
  group->disks[slot] = disk;
  return NextGrant(std::move(record));
}

}  // namespace homeport::quorum_queue
