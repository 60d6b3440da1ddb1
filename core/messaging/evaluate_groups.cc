#include <fmt/format.h>

#include "core/messaging/evaluator_impl.h"

namespace homeport::core {

namespace {

// Of what one fan-out parks in one entry; a queue's entry has 4 MiB at most.
constexpr uint64_t kFanoutParkedBytesMax = 1 << 20;

}  // namespace

// Groups: members, owners, events, and messages to all of them.

// ---- members

Status Evaluator::Impl::CheckMember(Uin user) {
  const Residence residence = view.ResidenceOf(user);
  if (residence.at.home != Incarnation() && residence.kind == AccountKind::kUser) return {};
  return Status::BadRequest(fmt::format("{} is no user", user.value()));
}

// Makes `user` a member; kTooLarge when the group is full. REQUIRES: CheckMember.
Status Evaluator::Impl::AddTo(Uin group, Uin user, bool* changed) {
  GroupMembers& members = view.MembersOf(group);
  if (members.Contains(user)) return {};
  const bool owned = view.ResidenceOf(group).owner != Uin();
  const uint64_t limit = owned ? options.messaging.group_members_max : kGroupMembersMax;
  if (members.size() >= limit) {
    return Status::TooLarge(limit, fmt::format("the group is full: it has {} members", limit));
  }
  const HomeOf at = view.ResidenceOf(user).at;
  members.Add(user, {at.home, ShardOf(user, options.shards), at.epoch});
  Put(MemberKey(shard(), group, user),
      {view.ResidenceOf(group).at.epoch, NextAccountVersion(group)}, EncodeMember(now_ms()));
  *changed = true;
  return {};
}

void Evaluator::Impl::RemoveFrom(Uin group, Uin user) {
  view.MembersOf(group).Remove(user);
  Delete(MemberKey(shard(), group, user),
         {view.ResidenceOf(group).at.epoch, NextAccountVersion(group)});
}

CommandResult Evaluator::Impl::operator()(const JoinGroup& command) {
  if (Status bad = CheckServed(command.group, AccountKind::kGroup, "group"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  if (Status bad = CheckMember(command.user); !bad.ok()) return Refused(std::move(bad));
  CommandResult result;
  if (view.MembersOf(command.group).Contains(command.user)) return result;
  if (FindGroup(command.group).closed) {
    return Refused(Status::Refused("the group is closed: its owner adds members"));
  }
  result.status = AddTo(command.group, command.user, &result.changed);
  if (result.changed) PostEvent(command.group, command.user, {GroupEventKind::kJoined, {}, {}});
  return result;
}

CommandResult Evaluator::Impl::operator()(const LeaveGroup& command) {
  if (Status bad = CheckServed(command.group, AccountKind::kGroup, "group"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  CommandResult result;
  if (!view.MembersOf(command.group).Contains(command.user)) return result;
  if (view.ResidenceOf(command.group).owner == command.user) {
    return Refused(Status::Refused("the owner does not leave; transfer the group first"));
  }
  PostEvent(command.group, command.user, {GroupEventKind::kLeft, {}, {}});
  RemoveFrom(command.group, command.user);
  result.changed = true;
  return result;
}

// ---- owners

AccountInfo Evaluator::Impl::FindGroup(Uin group) const {
  const auto bytes = view.FindLive(AccountKey(shard(), group));
  auto account = bytes.has_value() ? DecodeAccount(*bytes) : std::nullopt;
  CHECK(account.has_value(), "a group that is served here has its account", group);
  return std::move(*account);
}

void Evaluator::Impl::PutGroup(const AccountInfo& group) {
  Put(AccountKey(shard(), group.uin), {group.epoch, NextAccountVersion(group.uin)},
      EncodeAccount(group));
  view.AccountDrafted(group.uin);
}

Status Evaluator::Impl::CheckOwner(Uin group, Uin by) {
  RETURN_IF_ERROR(CheckServed(group, AccountKind::kGroup, "group"));
  if (view.ResidenceOf(group).owner == by && by != Uin()) return {};
  return Status::Refused(fmt::format("user {} does not own this group", by.value()));
}

CommandResult Evaluator::Impl::operator()(const CreateGroup& command) {
  if (Status bad = CheckMember(command.owner); !bad.ok()) return Refused(std::move(bad));
  if (Status bad = CheckLabel(command.title, "a title"); !bad.ok()) return Refused(std::move(bad));
  AccountInfo group{command.group, AccountKind::kGroup, command.name, options.self, {}, 0};
  group.owner = command.owner;
  group.title = command.title;
  return Create(std::move(group));
}

CommandResult Evaluator::Impl::operator()(const RenameGroup& command) {
  if (Status bad = CheckOwner(command.group, command.by); !bad.ok()) {
    return Refused(std::move(bad));
  }
  if (Status bad = CheckLabel(command.title, "a title"); !bad.ok()) return Refused(std::move(bad));
  AccountInfo group = FindGroup(command.group);
  CommandResult result;
  result.changed = std::exchange(group.title, command.title) != command.title;
  if (!result.changed) return result;
  PutGroup(group);
  PostEvent(command.group, command.by, {GroupEventKind::kRenamed, {}, command.title});
  return result;
}

CommandResult Evaluator::Impl::operator()(const CloseGroup& command) {
  if (Status bad = CheckOwner(command.group, command.by); !bad.ok()) {
    return Refused(std::move(bad));
  }
  AccountInfo group = FindGroup(command.group);
  CommandResult result;
  result.changed = std::exchange(group.closed, command.closed) != command.closed;
  if (!result.changed) return result;
  PutGroup(group);
  const auto kind = command.closed ? GroupEventKind::kClosed : GroupEventKind::kOpened;
  PostEvent(command.group, command.by, {kind, {}, {}});
  return result;
}

CommandResult Evaluator::Impl::operator()(const AddMember& command) {
  if (Status bad = CheckOwner(command.group, command.by); !bad.ok()) {
    return Refused(std::move(bad));
  }
  if (Status bad = CheckMember(command.user); !bad.ok()) return Refused(std::move(bad));
  CommandResult result;
  result.status = AddTo(command.group, command.user, &result.changed);
  if (result.changed) {
    PostEvent(command.group, command.by, {GroupEventKind::kAdded, command.user, {}});
  }
  return result;
}

CommandResult Evaluator::Impl::operator()(const RemoveMember& command) {
  if (Status bad = CheckOwner(command.group, command.by); !bad.ok()) {
    return Refused(std::move(bad));
  }
  CommandResult result;
  if (!view.MembersOf(command.group).Contains(command.user)) return result;
  if (command.user == command.by) {
    return Refused(Status::Refused("the owner does not leave; transfer the group first"));
  }
  PostEvent(command.group, command.by, {GroupEventKind::kRemoved, command.user, {}});
  RemoveFrom(command.group, command.user);
  result.changed = true;
  return result;
}

CommandResult Evaluator::Impl::operator()(const TransferGroup& command) {
  if (Status bad = CheckOwner(command.group, command.by); !bad.ok()) {
    return Refused(std::move(bad));
  }
  if (!view.MembersOf(command.group).Contains(command.to)) {
    return Refused(Status::Refused(fmt::format("user {} is no member", command.to.value())));
  }
  AccountInfo group = FindGroup(command.group);
  CommandResult result;
  result.changed = std::exchange(group.owner, command.to) != command.to;
  if (!result.changed) return result;
  PutGroup(group);
  PostEvent(command.group, command.by, {GroupEventKind::kTransferred, command.to, {}});
  return result;
}

// ---- what the group's members get

// At its place among the messages. A group that nobody owns is an open room: it tells nothing.
void Evaluator::Impl::PostEvent(Uin group, Uin by, GroupEvent event) {
  const Residence residence = view.ResidenceOf(group);
  if (residence.owner == Uin()) return;
  const uint64_t group_seq = ++view.GroupSeqOf(group);
  const Message message{MessageId(NewId()), by, {}, now_ms(), {}};
  draft->Put(GroupMessageKey(shard(), group, group_seq), {residence.at.epoch, Version(group_seq)},
             EncodeGroupMessage({.group_seq = group_seq,
                                 .message = message,
                                 .event = std::move(event),
                                 .at_ms = now_ms()}));
  FanOut(group, group_seq, Uin());
}

// What is drafted and not applied is younger than anything that may go.
size_t Evaluator::Impl::TrimGroup(Uin group, size_t items_max) {
  const auto keep =
      std::max(options.messaging.group_retention, options.messaging.device_gone_after);
  const int64_t before_ms = now_ms() - keep.count();
  const uint64_t floor = view.CountersOf(group).floor.version.value();
  uint64_t through = floor;
  size_t items = 0;
  view.store().Scan(
      GroupMessageKey(shard(), group, floor) + '\0', PrefixEnd(GroupMessagePrefix(shard(), group)),
      [&](std::string_view key, std::string_view value) {
        const std::optional<Row> row = DecodeRow(value);
        const auto message = row.has_value() ? DecodeGroupMessage(row->value) : std::nullopt;
        if (!message.has_value()) return false;
        const int64_t at_ms = message->at_ms != 0 ? message->at_ms : message->message.sent_at_ms;
        if (at_ms > before_ms) return false;
        through = PlaceOfGroupMessageKey(key).group_seq;
        return ++items < items_max;
      });
  if (items == 0) return 0;
  const uint64_t last = view.GroupSeqOf(group);
  Counters& changed = Count(group);
  draft->TrimGroup(group, floor, through);
  changed.floor = {view.ResidenceOf(group).at.epoch, Version(through)};
  changed.messages = last;  // the messages may no longer be there to tell
  return items;
}

void Evaluator::Impl::FanOut(Uin group, uint64_t group_seq, Uin without) {
  std::vector<Target> targets = view.MembersOf(group).TargetsWithout(without);
  if (targets.empty()) return;
  Intent fanout;
  fanout.kind = IntentKind::kFanout;
  fanout.group = group;
  fanout.group_seq = group_seq;
  draft->AddIntent(std::move(fanout), std::move(targets));
}

void Evaluator::Impl::PostToGroup(Uin group, const Residence& residence, const Message& message) {
  std::string key = RememberedKeyOf(group, message.sender, message.client_message);
  if (view.FindLive(key).has_value()) return;
  // Accepted by a home that did not know yet.
  if (residence.owner != Uin() && !view.MembersOf(group).Contains(message.sender)) return;
  const MastershipEpoch epoch = residence.at.epoch;
  const uint64_t group_seq = ++view.GroupSeqOf(group);
  draft->Put(GroupMessageKey(shard(), group, group_seq), {epoch, Version(group_seq)},
             EncodeGroupMessage({.group_seq = group_seq, .message = message, .at_ms = now_ms()}));
  Put(std::move(key), {epoch, kFirst}, EncodeRemembered({message.id, now_ms(), group_seq}));
  FanOut(group, group_seq, message.sender);
}

// Each parked copy is a row of its own, so those of a large group need not fit into one entry: past
// a limit the rest is addressed to this shard again, and taken with a later entry.
void Evaluator::Impl::TakeFanout(const AddressedIntent& in, const Origin& origin) {
  struct Copies {
    std::vector<Uin> users;
    std::vector<uint64_t> versions;
  };
  std::map<MastershipEpoch, Copies> here;
  std::map<std::pair<Incarnation, MastershipEpoch>, std::vector<Uin>> elsewhere;
  std::vector<Uin> later;
  uint64_t parked_bytes = 0;
  for (const Uin user : in.target.users) {
    if (!IsMine(user)) continue;
    const Residence residence = view.ResidenceOf(user);
    if (residence.kind != AccountKind::kUser) continue;  // joined before it became a group
    // A member may be known to the group before its account is created; its inbox may start before
    // it, too.
    switch (Judge(user, residence, in.target.epoch, false)) {
      case Verdict::kPark: {
        if (parked_bytes >= kFanoutParkedBytesMax) {
          later.push_back(user);
          break;
        }
        const uint64_t before = draft->bytes();
        Park(user, in.target.epoch, in.intent, origin);
        parked_bytes += draft->bytes() - before;
        break;
      }
      case Verdict::kForward:
        elsewhere[{residence.at.home, residence.at.epoch}].push_back(user);
        break;
      case Verdict::kHere: {
        Copies& copies = here[residence.at.epoch];
        copies.users.push_back(user);
        copies.versions.push_back(++view.InboxVersionOf(user));
        break;
      }
    }
  }
  const std::string item =
      EncodeInboxItem({std::nullopt, in.intent.group, in.intent.group_seq, now_ms()});
  for (auto& [epoch, copies] : here) {
    draft->Fanout(item, epoch, std::move(copies.users), std::move(copies.versions));
  }
  std::vector<Target> targets;
  for (auto& [address, users] : elsewhere) {
    targets.push_back({address.first, shard(), address.second, std::move(users)});
  }
  if (!later.empty()) {
    targets.push_back({options.self, shard(), in.target.epoch, std::move(later)});
  }
  if (!targets.empty()) draft->AddIntent(in.intent, std::move(targets));
}

}  // namespace homeport::core
