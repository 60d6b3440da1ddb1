#include <fmt/format.h>

#include "core/messaging/evaluator_impl.h"

namespace homeport::core {
namespace {

// A remembered row's second and last value.
constexpr Version kRecalled{2};

Message WithoutBody(const Message& message) {
  return {message.id, message.sender, message.client_message, message.sent_at_ms, {}};
}

}  // namespace

// Recall: a message is taken back, wherever it went (docs/messaging.md).

CommandResult Evaluator::Impl::operator()(const RecallMessage& command) {
  if (Status bad = CheckServed(command.user, AccountKind::kUser, "user"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  std::string key = RememberedKeyOf(command.user, kSentByOwner, command.client_message);
  std::optional<Remembered> sent = FindRemembered(key);
  if (!sent.has_value()) {
    return Refused(Status::BadRequest(fmt::format(
        "user {} sent no message {}", command.user.value(), command.client_message.value())));
  }
  CommandResult result;
  result.message = sent->message;
  if (sent->recalled) return result;
  if (now_ms() - sent->at_ms > options.messaging.recall_within.count()) {
    return Refused(Status::Refused(fmt::format("a message is recalled within {} s of its sending",
                                               options.messaging.recall_within.count() / 1000)));
  }
  sent->recalled = true;
  Put(std::move(key), {view.ResidenceOf(command.user).at.epoch, kRecalled},
      EncodeRemembered(*sent));
  Intent intent;
  intent.kind = IntentKind::kRecall;
  intent.message = {sent->message, command.user, command.client_message, sent->at_ms, {}};
  const HomeOf to = view.ResidenceOf(sent->to).at;
  draft->AddIntent(std::move(intent),
                   {{to.home, ShardOf(sent->to, options.shards), to.epoch, {sent->to}}});
  result.changed = true;
  return result;
}

// The row of a message that was delivered and not recalled yet, marked as recalled; with the stamp
// it had.
std::optional<std::pair<Remembered, Stamp>> Evaluator::Impl::MarkRecalled(
    Uin owner, const Residence& residence, const Message& message) {
  std::string key = RememberedKeyOf(owner, message.sender, message.client_message);
  const std::optional<Row> row = view.Find(key);
  auto remembered = row.has_value() ? DecodeRemembered(row->value) : std::nullopt;
  if (!row.has_value()) {
    // Never delivered, to somebody who blocks its sender for one; or still to come: it was sent on,
    // or parked, when owner or sender moved. Then it is known when it comes, and does not rise.
    Put(std::move(key), {residence.at.epoch, kRecalled},
        EncodeRemembered({.message = message.id, .at_ms = now_ms(), .recalled = true}));
  }
  if (!remembered.has_value() || remembered->recalled) return std::nullopt;
  remembered->recalled = true;
  Put(std::move(key), {residence.at.epoch, kRecalled}, EncodeRemembered(*remembered));
  return std::make_pair(*remembered, row->stamp);
}

void Evaluator::Impl::RecallFromInbox(Uin user, const Residence& residence,
                                      const Message& message) {
  const auto marked = MarkRecalled(user, residence, message);
  if (!marked.has_value()) return;
  const auto& [remembered, stamp] = *marked;
  const Stamp place{stamp.epoch, Version(remembered.inbox_version)};
  if (place > view.CountersOf(user).floor) {
    InboxItem blank{WithoutBody(message), {}, 0, remembered.at_ms};
    blank.recalled = true;
    draft->Put(InboxKey(shard(), user, place), place, EncodeInboxItem(blank));
  }
  const Stamp next{residence.at.epoch, Version(++view.InboxVersionOf(user))};
  InboxItem recall{WithoutBody(message), {}, 0, now_ms()};
  recall.is_recall = true;
  draft->Put(InboxKey(shard(), user, next), next, EncodeInboxItem(recall));
}

void Evaluator::Impl::RecallFromGroup(Uin group, const Residence& residence,
                                      const Message& message) {
  const auto marked = MarkRecalled(group, residence, message);
  if (!marked.has_value()) return;
  const uint64_t place = marked->first.group_seq;
  const uint64_t group_seq = ++view.GroupSeqOf(group);
  const MastershipEpoch epoch = residence.at.epoch;
  // A stamp above that of the row with the body. What was trimmed stays so.
  if (place > view.CountersOf(group).floor.version.value()) {
    GroupMessage blank{.group_seq = place, .message = WithoutBody(message), .at_ms = now_ms()};
    blank.recalled = true;
    draft->Put(GroupMessageKey(shard(), group, place), {epoch, Version(group_seq)},
               EncodeGroupMessage(blank));
  }
  GroupMessage recall{.group_seq = group_seq, .message = WithoutBody(message), .at_ms = now_ms()};
  recall.is_recall = true;
  draft->Put(GroupMessageKey(shard(), group, group_seq), {epoch, Version(group_seq)},
             EncodeGroupMessage(recall));
  FanOut(group, group_seq, message.sender);
}

}  // namespace homeport::core
