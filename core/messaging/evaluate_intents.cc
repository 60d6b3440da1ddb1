#include "core/messaging/evaluator_impl.h"

namespace homeport::core {

namespace {

// Of parked intents, and of what they draft, in one entry.
constexpr uint64_t kUnparkedBytesMax = 256 << 10;

}  // namespace

// Where an intent goes (design section 5, rules 5, 6 and 8).

Verdict Evaluator::Impl::Judge(Uin uin, const Residence& residence, MastershipEpoch behind,
                               bool must_exist) {
  const HomeOf& at = residence.at;
  if (at.home == options.self) {
    if (!at.adopted) return Verdict::kPark;
    if (must_exist && !at.known) return Verdict::kPark;
    const bool waits = unparking != uin && view.CountersOf(uin).unparking;
    return waits ? Verdict::kPark : Verdict::kHere;
  }
  if (options.messaging.move_bug == PlantedMoveBug::kEpochNotCompared) return Verdict::kForward;
  // Each forward raises the epoch, so forwarding ends.
  return at.epoch > behind ? Verdict::kForward : Verdict::kPark;
}

void Evaluator::Impl::Take(const AddressedIntent& in, const Origin& origin) {
  if (in.intent.kind == IntentKind::kFanout) return TakeFanout(in, origin);
  if (in.intent.kind == IntentKind::kUnpark) {
    for (const Uin uin : in.target.users) {
      if (IsMine(uin)) Unpark(uin);
    }
    return;
  }
  for (const Uin to : in.target.users) {
    // The router of the sender hashes as we do; anything else no client could have asked for.
    if (IsMine(to)) TakeMessage(to, in.target.epoch, in.intent, origin);
  }
}

void Evaluator::Impl::TakeMessage(Uin to, MastershipEpoch behind, const Intent& intent,
                                  const Origin& origin) {
  const Residence residence = view.ResidenceOf(to);
  switch (Judge(to, residence, behind, true)) {
    case Verdict::kPark:
      return Park(to, behind, intent, origin);
    case Verdict::kForward:
      if (options.messaging.move_bug == PlantedMoveBug::kForwardsNothing) return;
      return draft->AddIntent(intent, {{residence.at.home, shard(), residence.at.epoch, {to}}});
    case Verdict::kHere:
      break;
  }
  const bool is_group = residence.kind == AccountKind::kGroup;
  if (intent.kind == IntentKind::kContact) {
    if (!is_group) LearnContact(to, intent.contact);
    return;
  }
  if (intent.kind == IntentKind::kReceipt) {
    if (!is_group) LearnReceipt(to, intent.receipt);
    return;
  }
  if (intent.kind == IntentKind::kTell) {
    if (!is_group) TellDelivered(to);
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
  if (options.messaging.move_bug == PlantedMoveBug::kParksNothing) return;
  const Target address{options.self, shard(), behind, {target}};
  Put(ParkedKey(shard(), target, origin.source, origin.seq, origin.index), {{}, kFirst},
      EncodePendingIntent(address, intent));
}

// What waited for this account to be known, or to arrive, takes effect, in order; or goes on to
// where it lives by now. So much of it as one entry holds: what is left is asked for by an intent
// of this shard to itself, and until then all that arrives for who is served here is parked behind
// it.
void Evaluator::Impl::Unpark(Uin uin) {
  const HomeOf at = view.ResidenceOf(uin).at;
  const bool served = at.known && at.adopted && at.home == options.self;
  if (!served && at.home == options.self) return;
  if (!served && options.messaging.move_bug == PlantedMoveBug::kParkedStay) return;
  unparking = uin;
  const std::vector<std::string> keys = view.ParkedKeys(uin, kUnparkedBytesMax);
  const uint64_t until = draft->bytes() + kUnparkedBytesMax;
  bool took = false;
  auto key = keys.begin();
  for (; key != keys.end() && draft->bytes() < until; ++key) {
    const auto bytes = view.FindLive(*key);
    const auto parked = bytes.has_value() ? DecodePendingIntent(*bytes) : std::nullopt;
    // Addressed by who knew more: it is for here, and its Transfer is on the way.
    if (!served && parked.has_value() && parked->target.epoch >= at.epoch) continue;
    const IntentPlace place = PlaceOfParkedKey(*key);
    if (parked.has_value()) Take(*parked, {place.source, place.seq, place.index});
    Delete(*key, {{}, kUnparked});
    took = true;
  }
  unparking.reset();
  const bool left = key != keys.end() || !view.ParkedKeys(uin, 1).empty();
  if (served) {
    if (!keys.empty()) view.UnparkedBefore(uin, key != keys.end() ? *key : keys.back() + '\0');
    if (view.CountersOf(uin).unparking != left) Count(uin).unparking = left;
    if (!left) view.UnparkedBefore(uin, {});
  }
  // Where nothing could be taken the next look would find nothing either.
  if (!left || !took) return;
  Intent next;
  next.kind = IntentKind::kUnpark;
  draft->AddIntent(std::move(next), {{options.self, shard(), at.epoch, {uin}}});
}

}  // namespace homeport::core
