#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "router/client_impl.h"
#include "router/directory.h"
#include "router/local_reads.h"

namespace homeport::router {

using core::AccountKind;
using core::Duration;
using core::Instant;
using core::ShardId;

namespace {

// How long one request may wait at the gateway; then it is asked again.
constexpr Duration kHoldMax = std::chrono::seconds(5);

Route Fixed(Incarnation region) {
  return {.kind = Route::Kind::kFixed, .region = region, .subject = {}, .hold_until = {}};
}
Route HomeOf(Uin subject) {
  return {.kind = Route::Kind::kHome, .region = {}, .subject = subject, .hold_until = {}};
}
Route AnyRegion() {
  return {};
}

uint32_t Narrow(size_t n) {
  return static_cast<uint32_t>(std::min<size_t>(n, UINT32_MAX));
}

std::string_view Noun(AccountKind kind) {
  return kind == AccountKind::kUser ? "user" : "group";
}

}  // namespace

const GatewayAddress* ClientImpl::FindRegion(Incarnation incarnation) const {
  for (const GatewayAddress& region : regions_) {
    if (region.incarnation == incarnation) return &region;
  }
  return nullptr;
}

Result<GatewayAddress> ClientImpl::RegionNamed(const std::string& name) const {
  std::string known;
  for (const GatewayAddress& region : regions_) {
    if (region.region == name) return region;
    known += (known.empty() ? "" : ", ") + region.region;
  }
  return Status::BadRequest(fmt::format("no region {}: this cluster has {}", Quoted(name), known));
}

AccountView ClientImpl::Named(AccountView account) const {
  const GatewayAddress* home = FindRegion(account.home);
  account.home_region =
      home != nullptr ? home->region : fmt::format("incarnation {}", account.home.value());
  return account;
}

ClientMessageId ClientImpl::NewClientMessageId() {
  return ClientMessageId(next_client_message_++);
}

core::ChangeCommand ClientImpl::Once(core::ChangeCommand command) {
  std::visit(
      [&](auto& one) {
        if constexpr (requires { one.once; }) {
          if (one.once == ClientMessageId()) one.once = NewClientMessageId();
        }
      },
      command);
  return command;
}

// ---- accounts

Incarnation ClientImpl::NamePartition(const std::string& name) const {
  std::vector<Incarnation> incarnations;
  for (const GatewayAddress& region : regions_) incarnations.push_back(region.incarnation);
  return NamePartitionHome(name, shards_, std::move(incarnations));
}

Result<Uin> ClientImpl::Claim(AccountKind kind, const std::string& name, Uin uin,
                              Instant deadline) {
  Route route = Fixed(NamePartition(name));
  route.kind = Route::Kind::kName;
  ASSIGN_OR_RETURN(const UinAnswer bound,
                   Ask<UinAnswer>(route, core::ClaimName{kind, name, uin}, deadline));
  return bound.uin;
}

// Creates the account of a uin that the name is bound to. One that this call did not bind itself
// belongs to a creation that stopped half-way, or to an account that exists.
Result<AccountView> ClientImpl::CreateBound(AccountKind kind, const std::string& name, Uin uin,
                                            bool is_own, const GatewayAddress& home,
                                            const MakeRequest& make, Instant deadline) {
  const Incarnation birth = core::BirthIncarnation(uin);
  if (birth == home.incarnation) {
    ASSIGN_OR_RETURN(const ChangedAnswer created,
                     Ask<ChangedAnswer>(Fixed(birth), make(uin), deadline));
    if (created.changed || is_own) {
      ASSIGN_OR_RETURN(const auto account, ShowAt(Fixed(birth), uin, deadline));
      if (account) return *account;
      return Status::Unavailable(fmt::format("{} {} was created, but {} does not show it",
                                             Noun(kind), Quoted(name), home.region));
    }
  }
  const GatewayAddress* owner_region = FindRegion(birth);
  const std::string born_in =
      owner_region != nullptr ? owner_region->region : fmt::format("incarnation {}", birth.value());
  if (birth != home.incarnation && owner_region != nullptr) {
    ASSIGN_OR_RETURN(const auto owner, ShowAt(Fixed(birth), uin, deadline));
    if (!owner) {
      return Status::Taken(
          uin, fmt::format("the name {} is bound to {} of region {} by a creation that did not "
                           "finish: create it with home {} to finish it",
                           Quoted(name), uin.value(), born_in, born_in));
    }
  }
  return Status::Taken(uin, fmt::format("the name {} belongs to {} {}, born in {}", Quoted(name),
                                        Noun(kind), uin.value(), born_in));
}

Result<AccountView> ClientImpl::CreateNamed(AccountKind kind, const std::string& name,
                                            const std::string& home_region,
                                            const MakeRequest& make) {
  const Instant deadline = Deadline();
  ASSIGN_OR_RETURN(const GatewayAddress home, RegionNamed(home_region));
  ASSIGN_OR_RETURN(const UinAnswer fresh,
                   Ask<UinAnswer>(Fixed(home.incarnation), core::NewUin{}, deadline));
  ASSIGN_OR_RETURN(const Uin bound, Claim(kind, name, fresh.uin, deadline));
  return CreateBound(kind, name, bound, bound == fresh.uin, home, make, deadline);
}

Result<AccountView> ClientImpl::Create(AccountKind kind, const std::string& name,
                                       const std::string& home_region) {
  return CreateNamed(kind, name, home_region, [&](Uin uin) -> RequestBody {
    return core::CreateAccount{uin, kind, name};
  });
}

Result<AccountView> ClientImpl::CreateGroup(const std::string& name, const std::string& home_region,
                                            Uin owner, const std::string& title) {
  return CreateNamed(AccountKind::kGroup, name, home_region, [&](Uin uin) -> RequestBody {
    return core::ChangeCommand(core::CreateGroup{uin, name, owner, title});
  });
}

Result<std::optional<AccountView>> ClientImpl::ShowAt(const Route& route, Uin uin,
                                                      Instant deadline) {
  ASSIGN_OR_RETURN(const ResolvedAnswer answer,
                   Ask<ResolvedAnswer>(route, ShowRequest{uin}, deadline));
  if (!answer.account) return std::optional<AccountView>();
  return std::optional(Named(*answer.account));
}

Result<std::optional<AccountView>> ClientImpl::Completed(const ResolvedAnswer& answer,
                                                         Instant deadline) {
  if (answer.account) return std::optional(Named(*answer.account));
  const Incarnation birth = core::BirthIncarnation(answer.bound);
  if (answer.bound == Uin() || FindRegion(birth) == nullptr) return std::optional<AccountView>();
  return ShowAt(Fixed(birth), answer.bound, deadline);
}

Result<std::optional<AccountView>> ClientImpl::Find(AccountKind kind, const std::string& name) {
  const Instant deadline = Deadline();
  const ResolveRequest request{kind, name};
  ASSIGN_OR_RETURN(const ResolvedAnswer near, Ask<ResolvedAnswer>(AnyRegion(), request, deadline));
  if (near.account || near.bound != Uin()) return Completed(near, deadline);
  ASSIGN_OR_RETURN(const ResolvedAnswer latest,
                   Ask<ResolvedAnswer>(Fixed(NamePartition(name)), request, deadline));
  return Completed(latest, deadline);
}

Result<std::optional<AccountView>> ClientImpl::Show(Uin uin) {
  const Instant deadline = Deadline();
  ASSIGN_OR_RETURN(auto near, ShowAt(AnyRegion(), uin, deadline));
  const Incarnation birth = core::BirthIncarnation(uin);
  if (near || FindRegion(birth) == nullptr) return near;
  return ShowAt(Fixed(birth), uin, deadline);
}

Result<std::vector<AccountView>> ClientImpl::List(AccountKind kind, const std::string& region) {
  Route route = AnyRegion();
  if (!region.empty()) {
    ASSIGN_OR_RETURN(const GatewayAddress asked, RegionNamed(region));
    route = Fixed(asked.incarnation);
  }
  std::vector<AccountView> accounts;
  for (uint16_t shard = 0; shard < shards_; ++shard) {
    Uin after;
    while (true) {
      ASSIGN_OR_RETURN(
          AccountsAnswer page,
          Ask<AccountsAnswer>(route, ListRequest{kind, ShardId(shard), after, kListLimitMax},
                              Deadline()));
      for (AccountView& account : page.accounts) accounts.push_back(Named(std::move(account)));
      // Only a uin above the last one goes on: a gateway that repeats itself ends the list.
      if (page.next <= after) break;
      after = page.next;
    }
  }
  std::sort(accounts.begin(), accounts.end(), [](const AccountView& a, const AccountView& b) {
    return std::tie(a.name, a.uin) < std::tie(b.name, b.uin);
  });
  return accounts;
}

// ---- groups and messages

Result<std::vector<Uin>> ClientImpl::Members(Uin group) {
  // The group's birth region knows best; when it is silent, any copy will do.
  Route route = AnyRegion();
  route.region = core::BirthIncarnation(group);
  std::vector<Uin> members;
  Uin after;
  while (true) {
    ASSIGN_OR_RETURN(
        const MembersAnswer page,
        Ask<MembersAnswer>(route, MembersRequest{group, after, kListLimitMax}, Deadline()));
    members.insert(members.end(), page.members.begin(), page.members.end());
    if (page.next <= after) return members;
    after = page.next;
  }
}

Result<bool> ClientImpl::Join(Uin group, Uin user) {
  ASSIGN_OR_RETURN(
      const ChangedAnswer answer,
      Ask<ChangedAnswer>(HomeOf(group), core::JoinGroup{group, user, NewClientMessageId()},
                         Deadline()));
  return answer.changed;
}

Result<bool> ClientImpl::Leave(Uin group, Uin user) {
  ASSIGN_OR_RETURN(
      const ChangedAnswer answer,
      Ask<ChangedAnswer>(HomeOf(group), core::LeaveGroup{group, user, NewClientMessageId()},
                         Deadline()));
  return answer.changed;
}

Result<MessageId> ClientImpl::Send(Uin from, ClientMessageId id, Uin to, bool to_group,
                                   std::string_view body) {
  ASSIGN_OR_RETURN(
      const SentAnswer answer,
      Ask<SentAnswer>(HomeOf(from), core::SendMessage{from, id, to, to_group, std::string(body)},
                      Deadline()));
  return answer.message;
}

Result<uint64_t> ClientImpl::AwaitSequenced(Uin group, Uin sender, ClientMessageId id) {
  const Instant deadline = Deadline();
  while (true) {
    Route route = HomeOf(group);
    route.hold_until = std::min(deadline, core::SteadyNow() + kHoldMax);
    // The answer at the end of the wait must still have time to come.
    ASSIGN_OR_RETURN(const SequencedAnswer answer,
                     Ask<SequencedAnswer>(route, AwaitSequencedRequest{group, sender, id, 0},
                                          deadline + std::chrono::seconds(1)));
    if (answer.group_seq) return *answer.group_seq;
    if (core::SteadyNow() < deadline) continue;
    return Status::Unavailable(fmt::format(
        "the message has no place in group {} yet: the group's home has not replayed the sender's "
        "region that far; it will, ask again later",
        group.value()));
  }
}

Result<core::RecordsPage> ClientImpl::SyncRecords(Uin user, const std::string& table,
                                                  const std::string& snapshot,
                                                  core::SyncLimits limits, Duration wait) {
  Route route = HomeOf(user);
  route.hold_until = core::SteadyNow() + wait;
  return Ask<core::RecordsPage>(
      route,
      RecordsRequest{user, table, snapshot, Narrow(limits.items_max), Narrow(limits.bytes_max), 0},
      Deadline() + wait);
}

Result<SyncResult> ClientImpl::Sync(Uin user, const std::string& snapshot, core::SyncLimits limits,
                                    Duration wait, core::DeviceNumber device) {
  Route route = HomeOf(user);
  route.hold_until = core::SteadyNow() + wait;
  SyncRequest request{user, snapshot, Narrow(limits.items_max), Narrow(limits.bytes_max),
                      0,    device};
  ASSIGN_OR_RETURN(SyncResult result,
                   Ask<SyncResult>(route, std::move(request), Deadline() + wait));
  if (result.account) result.account = Named(std::move(*result.account));
  return result;
}

Result<core::RecordRead> ClientImpl::ReadRecord(Uin user, const std::string& table,
                                                const std::string& key, ReadLevel level,
                                                core::Stamp at_least) {
  Route route = level == ReadLevel::kLatest ? HomeOf(user) : AnyRegion();
  if (level == ReadLevel::kCritical) {
    // Where connected; what is too old there is asked for at home.
    route = Fixed(regions_.front().incarnation);
    route.kind = Route::Kind::kName;
  }
  return Ask<core::RecordRead>(route, ReadRecordRequest{user, table, key, level, at_least},
                               Deadline());
}

Result<RecordWritten> ClientImpl::WriteRecord(const core::ChangeCommand& command) {
  ASSIGN_OR_RETURN(const ChangedAnswer answer,
                   Ask<ChangedAnswer>(HomeOf(core::SubjectOf(command)), Once(command), Deadline()));
  return RecordWritten{answer.changed, answer.version};
}

Result<core::DeviceNumber> ClientImpl::RegisterDevice(Uin user, uint64_t install,
                                                      const std::string& name) {
  ASSIGN_OR_RETURN(
      const DeviceAnswer answer,
      Ask<DeviceAnswer>(HomeOf(user), Once(core::RegisterDevice{user, install, name}), Deadline()));
  return answer.device;
}

Result<bool> ClientImpl::Change(const core::ChangeCommand& command) {
  ASSIGN_OR_RETURN(const ChangedAnswer answer,
                   Ask<ChangedAnswer>(HomeOf(core::SubjectOf(command)), Once(command), Deadline()));
  return answer.changed;
}

// ---- regions

Result<RegionReport> ClientImpl::ReportOf(const std::string& region) {
  ASSIGN_OR_RETURN(const GatewayAddress asked, RegionNamed(region));
  ASSIGN_OR_RETURN(RegionReport report,
                   Ask<RegionReport>(Fixed(asked.incarnation), StatusRequest{}, Deadline()));
  report.incarnation = asked.incarnation;
  return report;
}

Result<std::vector<core::TableDigest>> ClientImpl::DigestOf(const std::string& region,
                                                            ShardId shard) {
  ASSIGN_OR_RETURN(const GatewayAddress asked, RegionNamed(region));
  ASSIGN_OR_RETURN(DigestAnswer answer,
                   Ask<DigestAnswer>(Fixed(asked.incarnation), DigestRequest{shard}, Deadline()));
  for (core::TableDigest& table : answer.tables) table.shard = shard;
  return std::move(answer.tables);
}

Result<bool> ClientImpl::OrderRegion(const std::string& at, const core::RegionState& order) {
  ASSIGN_OR_RETURN(const GatewayAddress asked, RegionNamed(at));
  ASSIGN_OR_RETURN(
      const ChangedAnswer answer,
      Ask<ChangedAnswer>(Fixed(asked.incarnation), core::OrderRegion{order}, Deadline()));
  return answer.changed;
}

Result<uint64_t> ClientImpl::WriteJournal(const std::string& at,
                                          const core::JournalRecord& record) {
  ASSIGN_OR_RETURN(const GatewayAddress asked, RegionNamed(at));
  ASSIGN_OR_RETURN(
      const WrittenAnswer answer,
      Ask<WrittenAnswer>(Fixed(asked.incarnation), core::WriteJournal{record}, Deadline()));
  return answer.number;
}

Result<std::vector<core::JournalRecord>> ClientImpl::JournalOf(const std::string& at) {
  ASSIGN_OR_RETURN(const GatewayAddress asked, RegionNamed(at));
  std::vector<core::JournalRecord> records;
  core::JournalPlace after;
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(JournalPage page,
                     Ask<JournalPage>(Fixed(asked.incarnation), JournalRequest{after}, Deadline()));
    for (core::JournalRecord& record : page.records) records.push_back(std::move(record));
    // Only what comes after the last one goes on: a gateway that repeats itself ends the list.
    const core::JournalPlace last =
        records.empty() ? after : core::JournalPlace{records.back().writer, records.back().id};
    more = page.more && std::tie(last.writer, last.id) > std::tie(after.writer, after.id);
    after = last;
  }
  std::sort(records.begin(), records.end(),
            [](const core::JournalRecord& a, const core::JournalRecord& b) {
              return std::tie(a.number, a.writer) < std::tie(b.number, b.writer);
            });
  return records;
}

Result<QueueGroups> ClientImpl::QueueGroupsOf(const std::string& region) {
  ASSIGN_OR_RETURN(const GatewayAddress asked, RegionNamed(region));
  return Ask<QueueGroups>(Fixed(asked.incarnation), QueueGroupsRequest{}, Deadline());
}

Result<GroupOrderResult> ClientImpl::AddQueueGroup(const std::string& region, uint32_t group,
                                                   const std::array<std::string, 3>& endpoints) {
  ASSIGN_OR_RETURN(const GatewayAddress asked, RegionNamed(region));
  return Ask<GroupOrderResult>(Fixed(asked.incarnation), AddQueueGroupRequest{group, endpoints},
                               Deadline());
}

Result<GroupOrderResult> ClientImpl::DrainQueueGroup(const std::string& region, uint32_t group) {
  ASSIGN_OR_RETURN(const GatewayAddress asked, RegionNamed(region));
  return Ask<GroupOrderResult>(Fixed(asked.incarnation), DrainQueueGroupRequest{group}, Deadline());
}

}  // namespace homeport::router
