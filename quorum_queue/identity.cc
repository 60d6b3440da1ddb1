#include "quorum_queue/identity.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/codec.h"
#include "core/files.h"
#include "quorum_queue/queue.capnp.h"

namespace homeport::quorum_queue {
namespace {

using core::Result;
using core::Status;

constexpr char kName[] = "IDENTITY";

std::string FileOf(const std::string& dir) {
  return dir + "/" + kName;
}

std::string PlaceOf(const Identity& identity) {
  if (identity.replica == 0) return fmt::format("region {}", identity.region);
  return fmt::format("replica {} of region {}", identity.replica, identity.region);
}

}  // namespace

Status WriteIdentity(const std::string& dir, const Identity& identity) {
  std::string bytes = core::Encode<wire::Identity>([&](wire::Identity::Builder root) {
    root.setVersion(wire::VERSION);
    root.setCluster(identity.cluster);
    root.setRegion(identity.region);
    root.setIncarnation(identity.incarnation.value());
    root.setReplica(identity.replica);
    root.setDisk(identity.disk.value());
    root.setShards(identity.shards);
    root.setRecovering(identity.recovering);
    root.initLife().setNumber(identity.life.number);
    root.getLife().setRandom(identity.life.random);
  });
  return core::WriteFileAtomically(FileOf(dir), bytes);
}

Result<Identity> ReadIdentity(const std::string& dir) {
  if (!core::Exists(FileOf(dir))) {
    return Status::Unavailable(fmt::format(
        "{} is not formatted: a lost disk or a wrong path. Check the path and its mount; a new "
        "cluster is "
        "formatted with homeport init; a lost disk is replaced: start the replica with --replace",
        dir));
  }
  ASSIGN_OR_RETURN(std::string bytes, core::ReadFile(FileOf(dir)));
  Identity identity;
  Status read = core::Decode<wire::Identity>(bytes, [&](wire::Identity::Reader root) -> Status {
    if (root.getVersion() != wire::VERSION) {
      return Status::Corrupt(fmt::format("format {}, this program reads format {}",
                                         root.getVersion(), +wire::VERSION));
    }
    identity.cluster = core::View(root.getCluster());
    identity.region = core::View(root.getRegion());
    identity.incarnation = core::Incarnation(root.getIncarnation());
    identity.replica = root.getReplica();
    identity.disk = core::DiskId(root.getDisk());
    identity.shards = root.getShards();
    identity.recovering = root.getRecovering();
    identity.life = {root.getLife().getNumber(), root.getLife().getRandom()};
    return Status::Ok();
  });
  if (!read.ok()) {
    return Status::Corrupt(fmt::format("{} cannot be read: {}", FileOf(dir), read.message()));
  }
  return identity;
}

Status CheckIdentity(const std::string& dir, const Identity& expected, const Identity& found) {
  const auto refuse = [&](const std::string& is, const std::string& should) {
    return Status::BadRequest(fmt::format(
        "{} belongs to {}, not to {}. Check the configuration and the mounts; nothing was "
        "changed",
        dir, is, should));
  };
  if (found.cluster != expected.cluster) {
    return refuse("cluster " + found.cluster, "cluster " + expected.cluster);
  }
  if (found.region != expected.region || found.replica != expected.replica) {
    return refuse(PlaceOf(found), PlaceOf(expected));
  }
  if (found.incarnation != expected.incarnation) {
    return refuse(
        fmt::format("incarnation {} of region {}", found.incarnation.value(), found.region),
        fmt::format("incarnation {}", expected.incarnation.value()));
  }
  if (found.shards != expected.shards) {
    return refuse(fmt::format("a cluster of {} shards", found.shards),
                  fmt::format("one of {}", expected.shards));
  }
  if (expected.disk != core::DiskId() && found.disk != expected.disk) {
    return refuse(
        fmt::format("disk {:016x}", found.disk.value()),
        fmt::format("disk {:016x}, which is recorded for this place", expected.disk.value()));
  }
  return Status::Ok();
}

Status FormatReplica(const std::string& dir, const Identity& identity) {
  if (core::Exists(dir)) {
    ASSIGN_OR_RETURN(std::vector<std::string> names, core::ListDirectory(dir));
    // Of a format that was cut short.
    std::erase(names, std::string(kName) + ".tmp");
    if (!names.empty()) {
      return Status::BadRequest(
          fmt::format("{} is not empty (it has {}): not formatted. Give an empty or new directory",
                      dir, names.front()));
    }
  }
  RETURN_IF_ERROR(core::MakeDirectories(dir));
  return WriteIdentity(dir, identity);
}

Result<std::string> FormatForReplace(const std::string& dir, const Identity& expected,
                                     core::DiskId give_up) {
  Identity fresh = expected;
  fresh.disk = NewDiskId();
  fresh.recovering = true;
  std::string moved;
  std::unique_ptr<core::DirectoryLock> lock;  // held until the new directory is in its place
  if (core::Exists(FileOf(dir))) {
    const Result<Identity> read = ReadIdentity(dir);
    if (!read.ok()) {
      return Status(
          read.status().code(),
          fmt::format("{}. So nobody can tell whose {} is, and nothing was changed. If it "
                      "is this replica's, and nothing runs on it, move it away by hand; "
                      "then start with --replace again",
                      read.status().message(), dir));
    }
    const Identity& found = *read;
    RETURN_IF_ERROR(CheckIdentity(dir, expected, found));
    if (found.disk != give_up) {
      return fmt::format(
          "{} is this replica's own, disk {:016x}{}: nothing was replaced. To give it up, and have "
          "it restored from the other two, say --replace {:016x}",
          dir, found.disk.value(), found.recovering ? ", recovering" : "", found.disk.value());
    }
    // A replica that still runs on it would go on, and acknowledge what no start finds again.
    ASSIGN_OR_RETURN(lock, core::DirectoryLock::Take(dir));
    const std::string aside = fmt::format("{}.replaced-{:016x}", dir, found.disk.value());
    if (::rename(dir.c_str(), aside.c_str()) != 0) {
      return Status::BadRequest(
          fmt::format("{} could not be moved to {}: {}. Move what is in it away by hand, then "
                      "start with --replace again",
                      dir, aside, std::strerror(errno)));
    }
    moved = fmt::format("; what was there is now {}", aside);
  }
  RETURN_IF_ERROR(FormatReplica(dir, fresh));
  return fmt::format("{} has a new disk {:016x}, to be restored from the other two{}", dir,
                     fresh.disk.value(), moved);
}

core::DiskId NewDiskId() {
  for (;;) {
    if (uint64_t bits = core::RandomBits(); bits != 0) return core::DiskId(bits);
  }
}

}  // namespace homeport::quorum_queue
