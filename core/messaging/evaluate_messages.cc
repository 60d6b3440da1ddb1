#include <fmt/format.h>

#include "core/messaging/evaluator_impl.h"

namespace homeport::core {

// Messages from user to user.

// Refuses what is known here to be impossible; what is not known is decided where `to` lives.
Status Evaluator::Impl::CheckReceiver(const SendMessage& command) {
  const Residence to = view.ResidenceOf(command.to);
  if (to.at.home == Incarnation()) {
    return Status::BadRequest(fmt::format("{} is no uin", command.to.value()));
  }
  if (to.at.known && (to.kind == AccountKind::kGroup) != command.to_group) {
    return Status::BadRequest(
        fmt::format("account {} is a {}", command.to.value(), command.to_group ? "user" : "group"));
  }
  if (command.to_group) {
    const bool may =
        to.owner == Uin() ||
        view.FindLive(MemberKey(ShardOf(command.to, options.shards), command.to, command.from))
            .has_value();
    return may ? Status() : Status::Refused("only members post to this group");
  }
  if (Blocks(command.to, command.from)) return Status::Refused("the receiver blocks the sender");
  return {};
}

CommandResult Evaluator::Impl::operator()(const SendMessage& command) {
  if (command.body.size() > kBodyBytesMax) {
    return Refused(Status::TooLarge(
        kBodyBytesMax, fmt::format("a message body has at most {} bytes, this one has {}",
                                   kBodyBytesMax, command.body.size())));
  }
  if (Status bad = CheckServed(command.from, AccountKind::kUser, "user"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  CommandResult result;
  std::string key = RememberedKeyOf(command.from, kSentByOwner, command.client_message);
  if (const auto first = FindRemembered(key); first.has_value()) {
    result.message = first->message;
    return result;
  }
  if (Status bad = CheckReceiver(command); !bad.ok()) return Refused(std::move(bad));

  const MastershipEpoch epoch = view.ResidenceOf(command.from).at.epoch;
  result.message = MessageId(NewId());
  result.changed = true;
  Put(std::move(key), {epoch, kFirst}, EncodeRemembered({result.message, now_ms(), 0, command.to}));
  const HomeOf to = view.ResidenceOf(command.to).at;
  Intent intent;
  intent.kind = command.to_group ? IntentKind::kPost : IntentKind::kDeliver;
  intent.message = {result.message, command.from, command.client_message, now_ms(), command.body};
  draft->AddIntent(std::move(intent),
                   {{to.home, ShardOf(command.to, options.shards), to.epoch, {command.to}}});
  return result;
}

void Evaluator::Impl::DeliverToUser(Uin user, const Residence& residence, const Message& message) {
  std::string key = RememberedKeyOf(user, message.sender, message.client_message);
  if (view.FindLive(key).has_value()) return;
  // Accepted by a home that did not know yet.
  if (Blocks(user, message.sender)) return;
  const MastershipEpoch epoch = residence.at.epoch;
  const Stamp stamp{epoch, Version(++view.InboxVersionOf(user))};
  // Never read by evaluation, so it goes past the view.
  draft->Put(InboxKey(shard(), user, stamp), stamp, EncodeInboxItem({message, {}, 0, now_ms()}));
  Put(std::move(key), {epoch, kFirst},
      EncodeRemembered({message.id, now_ms(), 0, {}, stamp.version.value()}));
}

}  // namespace homeport::core
