#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/messaging/evaluator_impl.h"

namespace homeport::core {
namespace {

// Of an inbox, looked at for one entry that tells what was delivered.
constexpr size_t kToldItemsMax = 1024;
constexpr uint64_t kToldBytesMax = 1 << 20;

bool Raise(Mark* mark, const Mark& to) {
  if (to.at <= mark->at) return false;
  *mark = to;
  return true;
}

}  // namespace

// Positions: how far a user has read and was delivered, and what those hear who wrote to it
// (docs/messaging.md).

std::optional<Conversation> Evaluator::Impl::FindConversation(Uin user, Uin with) const {
  const auto bytes = view.FindLive(ConversationKey(shard(), user, with));
  return bytes.has_value() ? DecodeConversation(*bytes) : std::nullopt;
}

bool Evaluator::Impl::PutConversation(Uin user, Uin with, const Conversation& conversation,
                                      bool is_new) {
  if (is_new && view.CountersOf(user).conversation_rows >= kConversationsMax) return false;
  Counters& counters = Count(user);
  if (is_new) ++counters.conversation_rows;
  Put(ConversationKey(shard(), user, with),
      {view.ResidenceOf(user).at.epoch, Version(++counters.contacts)},
      EncodeConversation(conversation));
  return true;
}

Result<Mark> Evaluator::Impl::MarkAt(Uin user, Uin with, const Stamp& at) const {
  Mark mark{at, {}, 0};
  // What a device was shown is applied.
  const std::optional<std::string> bytes = view.store().Get(InboxKey(shard(), user, at));
  const auto item = bytes.has_value() ? DecodeInboxItem(*bytes) : std::nullopt;
  if (!item.has_value()) return mark;  // trimmed: the user's word is enough for its own row
  const bool of_group = !item->message.has_value();
  if ((of_group ? item->group : item->message->sender) != with) {
    return Status::BadRequest("what lies there in the inbox is of another conversation");
  }
  mark.group_seq = item->group_seq;
  // A recall has the id of an older message, which says too little.
  if (!of_group && !item->is_recall) mark.message = item->message->id;
  return mark;
}

CommandResult Evaluator::Impl::operator()(const MarkRead& command) {
  const auto& [user, with, through] = command;
  if (Status bad = CheckServed(user, AccountKind::kUser, "user"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  const Stamp last{view.ResidenceOf(user).at.epoch, Version(view.InboxVersionOf(user))};
  if (through.version == Version() || through > last) {
    return Refused(
        Status::BadRequest(fmt::format("the inbox of user {} has no such place", user.value())));
  }
  if (view.ResidenceOf(with).at.home == Incarnation()) {
    return Refused(Status::BadRequest(fmt::format("{} is no uin", with.value())));
  }
  const std::optional<Conversation> known = FindConversation(user, with);
  Conversation conversation = known.value_or(Conversation());
  CommandResult result;
  if (through <= conversation.read.at) return result;
  const Result<Mark> mark = MarkAt(user, with, through);
  if (!mark.ok()) return Refused(mark.status());
  conversation.read = *mark;
  if (!PutConversation(user, with, conversation, !known.has_value())) {
    return Refused(Status::TooLarge(
        kConversationsMax,
        fmt::format("a user has positions in at most {} conversations", kConversationsMax)));
  }
  if (mark->message != MessageId()) SendReceipt(with, {user, *mark, {}});
  result.changed = true;
  return result;
}

// Who blocks or is blocked tells nothing, and hears nothing.
void Evaluator::Impl::SendReceipt(Uin to, const Receipt& receipt) {
  if (Blocks(receipt.from, to) || Blocks(to, receipt.from)) return;
  Intent intent;
  intent.kind = IntentKind::kReceipt;
  intent.receipt = receipt;
  const HomeOf at = view.ResidenceOf(to).at;
  draft->AddIntent(std::move(intent), {{at.home, ShardOf(to, options.shards), at.epoch, {to}}});
}

void Evaluator::Impl::LearnReceipt(Uin user, const Receipt& receipt) {
  if (Blocks(receipt.from, user) || Blocks(user, receipt.from)) return;
  const std::optional<Conversation> known = FindConversation(user, receipt.from);
  Conversation conversation = known.value_or(Conversation());
  const bool read = Raise(&conversation.peers_read, receipt.read);
  // What was read was delivered.
  const Mark& newest = receipt.read.at > receipt.delivered.at ? receipt.read : receipt.delivered;
  const bool delivered = Raise(&conversation.peers_delivered, newest);
  if (!read && !delivered) return;
  // Others fill half of what the user itself may.
  if (!known && view.CountersOf(user).conversation_rows >= kConversationsMax / 2) return;
  // Past the limit nobody hears of it: it is only a receipt.
  PutConversation(user, receipt.from, conversation, !known.has_value());
}

void Evaluator::Impl::TellDelivered(Uin user) {
  const Counters& counters = view.CountersOf(user);
  Stamp through;  // by the device that has acknowledged most
  for (const DevicePosition& device : counters.devices) {
    through = std::max(through, device.acknowledged);
  }
  const Stamp from = std::max(counters.told, counters.floor);
  if (through <= from) {
    if (counters.telling) Count(user).telling = false;
    return;
  }
  std::map<Uin, Mark> last;  // by sender
  size_t items = 0;
  uint64_t bytes = 0;
  Stamp told = from;
  view.store().Scan(InboxKey(shard(), user, from) + '\0', InboxKey(shard(), user, through) + '\0',
                    [&](std::string_view key, std::string_view value) {
                      if (items >= kToldItemsMax || bytes >= kToldBytesMax) return false;
                      ++items;
                      bytes += value.size();
                      told = PlaceOfInboxKey(key).stamp;
                      const auto item = DecodeInboxItem(value);
                      if (item.has_value() && item->message.has_value() && !item->is_recall) {
                        last[item->message->sender] = {told, item->message->id, 0};
                      }
                      return true;
                    });
  const bool left = items >= kToldItemsMax || bytes >= kToldBytesMax;
  Counters& changed = Count(user);
  changed.told = left ? told : through;
  changed.telling = left;
  for (const auto& [sender, mark] : last) SendReceipt(sender, {user, {}, mark});
  if (!left) return;
  Intent next;
  next.kind = IntentKind::kTell;
  draft->AddIntent(std::move(next),
                   {{options.self, shard(), view.ResidenceOf(user).at.epoch, {user}}});
}

}  // namespace homeport::core
