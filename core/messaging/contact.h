// Contact: one side's record of a relation between two users.
//
// Each user owns one half: whether it wants the other, and how much of the other's wanting it has
// taken back. A change of one's own half is sent to the peer's home as an intent; the newest half
// wins there. So once what was sent has arrived, both records hold the same two halves, and show
// the same relation from either side, whatever was done at the same time. (A relation kept as one
// shared state, with messages for its transitions, does not converge: docs/messaging.md.)
//
//   ask, accept:  next stamp, wants
//   remove:       next stamp, wants not; takes back the peer's wanting up to its stamp known here
//
//   a half holds when it wants and the other did not take it back:
//
//              | peer's holds | does not
//   mine holds | friends      | asked
//   does not   | asking       | none
//
// Pure values.
#pragma once

#include <cstdint>
#include <string>

#include "core/ids.h"

namespace homeport::core {

struct ContactHalf {
  // Of its last change, in its owner's home: that home's epoch, and a count. Version 0: never
  // touched. A home that lost the end of a stream goes on in a higher epoch, so it still counts up.
  Stamp at;
  bool wants = false;
  Stamp takes_back;  // of the other half: its wanting up to this stamp
  bool operator==(const ContactHalf&) const = default;
};

enum class Relation : uint8_t {
  kNone = 0,
  kAsked = 1,   // I asked, the peer has not answered
  kAsking = 2,  // the peer asks me
  kFriends = 3,
};

struct Contact {
  ContactHalf mine;
  ContactHalf peers;     // as far as it is known here
  std::string text;      // the peer's words when it asked
  bool blocked = false;  // my own affair: the peer's messages are refused
  std::string remark;    // and so is this
  int64_t changed_at_ms = 0;
  bool operator==(const Contact&) const = default;

  Relation relation() const;
};

// The owner asks, or accepts: the same. `epoch` is that of the home that does it. False when that
// changes nothing.
bool Want(Contact* contact, MastershipEpoch epoch);
// The owner takes the relation back, whatever it is. False when there is none.
bool Unwant(Contact* contact, MastershipEpoch epoch);
// The peer's half arrives. False when it is not newer than what is known.
bool Learn(Contact* contact, const ContactHalf& peers);

}  // namespace homeport::core
