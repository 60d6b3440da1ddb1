#include <fmt/format.h>

#include "core/messaging/evaluator_impl.h"

namespace homeport::core {

// Groups: members, and messages to all of them.

CommandResult Evaluator::Impl::operator()(const JoinGroup& command) {
  if (Status bad = CheckServed(command.group, AccountKind::kGroup, "group"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  const Residence user = view.ResidenceOf(command.user);
  if (user.at.home == Incarnation() || user.kind != AccountKind::kUser) {
    return Refused(Status::BadRequest(fmt::format("{} is no user", command.user.value())));
  }
  GroupMembers& members = view.MembersOf(command.group);
  CommandResult result;
  if (members.Contains(command.user)) return result;
  if (members.size() >= kGroupMembersMax) {
    return Refused(Status::TooLarge(kGroupMembersMax, "the group is full"));
  }
  members.Add(command.user, {user.at.home, ShardOf(command.user, options.shards), user.at.epoch});
  const MastershipEpoch epoch = view.ResidenceOf(command.group).at.epoch;
  Put(MemberKey(shard(), command.group, command.user), {epoch, NextAccountVersion(command.group)},
      EncodeMember(now_ms()));
  result.changed = true;
  return result;
}

CommandResult Evaluator::Impl::operator()(const LeaveGroup& command) {
  if (Status bad = CheckServed(command.group, AccountKind::kGroup, "group"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  GroupMembers& members = view.MembersOf(command.group);
  CommandResult result;
  if (!members.Contains(command.user)) return result;
  members.Remove(command.user);
  const MastershipEpoch epoch = view.ResidenceOf(command.group).at.epoch;
  Delete(MemberKey(shard(), command.group, command.user),
         {epoch, NextAccountVersion(command.group)});
  result.changed = true;
  return result;
}

void Evaluator::Impl::PostToGroup(Uin group, const Residence& residence, const Message& message) {
  std::string key = RememberedKeyOf(group, message.sender, message.client_message);
  if (view.FindLive(key).has_value()) return;
  const MastershipEpoch epoch = residence.at.epoch;
  const uint64_t group_seq = ++view.GroupSeqOf(group);
  draft->Put(GroupMessageKey(shard(), group, group_seq), {epoch, Version(group_seq)},
             EncodeGroupMessage({group_seq, message}));
  Put(std::move(key), {epoch, kFirst}, EncodeRemembered({message.id, now_ms(), group_seq}));
  std::vector<Target> targets = view.MembersOf(group).TargetsWithout(message.sender);
  if (targets.empty()) return;
  Intent fanout;
  fanout.kind = IntentKind::kFanout;
  fanout.group = group;
  fanout.group_seq = group_seq;
  draft->AddIntent(std::move(fanout), std::move(targets));
}

void Evaluator::Impl::TakeFanout(const AddressedIntent& in, const Origin& origin) {
  struct Copies {
    std::vector<Uin> users;
    std::vector<uint64_t> versions;
  };
  std::map<MastershipEpoch, Copies> here;
  std::map<std::pair<Incarnation, MastershipEpoch>, std::vector<Uin>> elsewhere;
  for (const Uin user : in.target.users) {
    if (!IsMine(user)) continue;
    const Residence residence = view.ResidenceOf(user);
    if (residence.kind != AccountKind::kUser) continue;  // joined before it became a group
    // A member may be known to the group before its account is created; its inbox may start before
    // it, too.
    switch (Judge(residence, in.target.epoch, false)) {
      case Verdict::kPark:
        Park(user, in.target.epoch, in.intent, origin);
        break;
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
  if (!targets.empty()) draft->AddIntent(in.intent, std::move(targets));
}

}  // namespace homeport::core
