#include "core/messaging/evaluator_impl.h"

namespace homeport::core {

// Where an intent goes (design section 5, rules 5, 6 and 8).

Verdict Evaluator::Impl::Judge(const Residence& residence, MastershipEpoch behind,
                               bool must_exist) const {
  const HomeOf& at = residence.at;
  if (at.home == options.self) return at.known || !must_exist ? Verdict::kHere : Verdict::kPark;
  // Each forward raises the epoch, so forwarding ends.
  return at.epoch > behind ? Verdict::kForward : Verdict::kPark;
}

void Evaluator::Impl::Take(const AddressedIntent& in, const Origin& origin) {
  if (in.intent.kind == IntentKind::kFanout) return TakeFanout(in, origin);
  for (const Uin to : in.target.users) {
    // The router of the sender hashes as we do; anything else no client could have asked for.
    if (IsMine(to)) TakeMessage(to, in.target.epoch, in.intent, origin);
  }
}

void Evaluator::Impl::TakeMessage(Uin to, MastershipEpoch behind, const Intent& intent,
                                  const Origin& origin) {
  const Residence residence = view.ResidenceOf(to);
  switch (Judge(residence, behind, true)) {
    case Verdict::kPark:
      return Park(to, behind, intent, origin);
    case Verdict::kForward:
      return draft->AddIntent(intent, {{residence.at.home, shard(), residence.at.epoch, {to}}});
    case Verdict::kHere:
      break;
  }
  const bool is_group = residence.kind == AccountKind::kGroup;
  if (intent.kind == IntentKind::kContact) {
    if (!is_group) LearnContact(to, intent.contact);
    return;
  }
  if (intent.kind == IntentKind::kRecall) {
    return is_group ? RecallFromGroup(to, residence, intent.message)
                    : RecallFromInbox(to, residence, intent.message);
  }
  // What the sender took `to` for does not matter: what it is decides, so that nothing is lost.
  if (is_group) return PostToGroup(to, residence, intent.message);
  DeliverToUser(to, residence, intent.message);
}

void Evaluator::Impl::Park(Uin target, MastershipEpoch behind, const Intent& intent,
                           const Origin& origin) {
  const Target address{options.self, shard(), behind, {target}};
  Put(ParkedKey(shard(), target, origin.source, origin.seq, origin.index), {{}, kFirst},
      EncodePendingIntent(address, intent));
}

uint64_t Evaluator::Impl::ParkedBytes(Uin uin) {
  uint64_t bytes = 0;
  for (const std::string& key : view.ParkedKeys(uin)) {
    if (const auto value = view.FindLive(key); value.has_value()) bytes += value->size();
  }
  return bytes;
}

// What waited for this account to exist takes effect, in order, in the entry that creates it.
void Evaluator::Impl::Unpark(Uin uin) {
  for (std::string& key : view.ParkedKeys(uin)) {
    const auto bytes = view.FindLive(key);
    const auto parked = bytes.has_value() ? DecodePendingIntent(*bytes) : std::nullopt;
    const IntentPlace place = PlaceOfParkedKey(key);
    if (parked.has_value()) Take(*parked, {place.source, place.seq, place.index});
    Delete(std::move(key), {{}, kUnparked});
  }
}

}  // namespace homeport::core
