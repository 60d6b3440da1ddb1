#include <fmt/format.h>

#include "core/messaging/evaluator_impl.h"

namespace homeport::core {

// Contacts: what a user does about its own half of a relation, and what it hears of the other half
// (contact.h, docs/messaging.md).

std::optional<Contact> Evaluator::Impl::FindContact(Uin user, Uin peer) const {
  const auto bytes = view.FindLive(ContactKey(ShardOf(user, options.shards), user, peer));
  return bytes.has_value() ? DecodeContact(*bytes) : std::nullopt;
}

bool Evaluator::Impl::Blocks(Uin user, Uin peer) const {
  const std::optional<Contact> contact = FindContact(user, peer);
  return contact.has_value() && contact->blocked;
}

void Evaluator::Impl::PutContact(Uin user, Uin peer, Contact contact, bool is_new) {
  Counters& counters = Count(user);
  if (is_new) ++counters.contact_rows;
  contact.changed_at_ms = now_ms();
  Put(ContactKey(shard(), user, peer),
      {view.ResidenceOf(user).at.epoch, Version(++counters.contacts)}, EncodeContact(contact));
}

Status Evaluator::Impl::CheckContact(Uin user, Uin peer) {
  RETURN_IF_ERROR(CheckServed(user, AccountKind::kUser, "user"));
  const Residence other = view.ResidenceOf(peer);
  if (peer == user || other.at.home == Incarnation() || other.kind != AccountKind::kUser) {
    return Status::BadRequest(fmt::format("{} is no other user", peer.value()));
  }
  return {};
}

// Changes the user's row for `peer` by `change`, which answers whether it changed anything; tells
// the peer's home of a changed half.
CommandResult Evaluator::Impl::ChangeContact(
    Uin user, Uin peer, std::string_view words,
    const std::function<bool(Contact*, MastershipEpoch)>& change) {
  if (Status bad = CheckContact(user, peer); !bad.ok()) return Refused(std::move(bad));
  if (Status bad = CheckLabel(words, "this text"); !bad.ok()) return Refused(std::move(bad));
  std::optional<Contact> known = FindContact(user, peer);
  const bool is_new = !known.has_value();
  Contact contact = std::move(known).value_or(Contact{});
  const ContactHalf before = contact.mine;
  CommandResult result;
  if (!change(&contact, view.ResidenceOf(user).at.epoch)) return result;
  if (is_new && view.CountersOf(user).contact_rows >= kContactsMax) {
    return Refused(Status::TooLarge(kContactsMax,
                                    fmt::format("a user has at most {} contacts", kContactsMax)));
  }
  result.changed = true;
  if (contact.mine != before) {
    Intent intent;
    intent.kind = IntentKind::kContact;
    intent.contact = {user, contact.mine, std::string(words)};
    const HomeOf to = view.ResidenceOf(peer).at;
    draft->AddIntent(std::move(intent),
                     {{to.home, ShardOf(peer, options.shards), to.epoch, {peer}}});
  }
  PutContact(user, peer, std::move(contact), is_new);
  return result;
}

CommandResult Evaluator::Impl::operator()(const AskContact& command) {
  return ChangeContact(
      command.user, command.peer, command.text,
      [](Contact* contact, MastershipEpoch epoch) { return Want(contact, epoch); });
}

CommandResult Evaluator::Impl::operator()(const DeleteContact& command) {
  return ChangeContact(command.user, command.peer, "", [](Contact* contact, MastershipEpoch epoch) {
    return Unwant(contact, epoch);
  });
}

CommandResult Evaluator::Impl::operator()(const BlockContact& command) {
  return ChangeContact(command.user, command.peer, "", [&](Contact* contact, MastershipEpoch) {
    return std::exchange(contact->blocked, command.blocked) != command.blocked;
  });
}

CommandResult Evaluator::Impl::operator()(const RemarkContact& command) {
  return ChangeContact(command.user, command.peer, command.remark,
                       [&](Contact* contact, MastershipEpoch) {
                         return std::exchange(contact->remark, command.remark) != command.remark;
                       });
}

void Evaluator::Impl::LearnContact(Uin user, const ContactChange& change) {
  std::optional<Contact> known = FindContact(user, change.from);
  const bool is_new = !known.has_value();
  // Strangers fill only half of a user's list.
  if (is_new && view.CountersOf(user).contact_rows >= kContactsMax / 2) return;
  Contact contact = std::move(known).value_or(Contact{});
  if (!Learn(&contact, change.half)) return;
  if (change.half.wants) contact.text = change.text;
  PutContact(user, change.from, std::move(contact), is_new);
}

}  // namespace homeport::core
