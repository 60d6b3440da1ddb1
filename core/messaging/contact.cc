#include "core/messaging/contact.h"

#include <algorithm>

#include "core/check.h"

namespace homeport::core {
namespace {

bool Holds(const ContactHalf& half, const ContactHalf& other) {
  return half.wants && half.at > other.takes_back;
}

void Change(ContactHalf* half, MastershipEpoch epoch, bool wants) {
  const Stamp next{epoch, half->at.version + 1};
  CHECK(next > half->at, "the epochs of a user's homes never go back", half->at.version);
  half->at = next;
  half->wants = wants;
}

}  // namespace

Relation Contact::relation() const {
  const bool i_do = Holds(mine, peers);
  const bool peer_does = Holds(peers, mine);
  if (i_do) return peer_does ? Relation::kFriends : Relation::kAsked;
  return peer_does ? Relation::kAsking : Relation::kNone;
}

bool Want(Contact* contact, MastershipEpoch epoch) {
  if (Holds(contact->mine, contact->peers)) return false;
  Change(&contact->mine, epoch, true);
  return true;
}

bool Unwant(Contact* contact, MastershipEpoch epoch) {
  if (contact->relation() == Relation::kNone) return false;
  Change(&contact->mine, epoch, false);
  contact->mine.takes_back = std::max(contact->mine.takes_back, contact->peers.at);
  return true;
}

bool Learn(Contact* contact, const ContactHalf& peers) {
  if (peers.at <= contact->peers.at) return false;
  contact->peers = peers;
  return true;
}

}  // namespace homeport::core
