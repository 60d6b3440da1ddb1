// Intents: what an entry asks of another user's or group's home.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/messaging/contact.h"
#include "core/messaging/row_codec.h"
#include "core/messaging/rows.h"

namespace homeport::core {

enum class IntentKind : uint8_t {
  kDeliver,
  kPost,
  kFanout,
  kContact,
  kRecall,
  kUnpark,
  kReceipt,
  kTell
};
// One address of an intent.
struct Target {
  Incarnation incarnation;
  ShardId shard;
  MastershipEpoch epoch;   // behind that address
  std::vector<Uin> users;  // fanout: the members there; of any other: the one it is for
};
// The other side's half of a contact.
struct ContactChange {
  Uin from;
  ContactHalf half;
  std::string text;  // its words, when it asks
};
// What `from` has read and was delivered of what the addressed user sent.
struct Receipt {
  Uin from;
  Mark read = {};
  Mark delivered = {};
};
struct Intent {
  IntentKind kind = IntentKind::kDeliver;
  Message message;         // deliver, post; of a recall without a body
  Uin group;               // fanout
  uint64_t group_seq = 0;  // fanout
  ContactChange contact;   // contact
  Receipt receipt = {};    // receipt
};
void FillTarget(const Target& target, wire::Target::Builder builder);
std::string EncodePendingIntent(const Target& target, const Intent& intent);
// The same from an entry's own parts. Throws kj::Exception when they are malformed: call it within
// Decode.
std::string EncodePendingIntent(wire::Target::Reader target, wire::Intent::Reader intent);

struct AddressedIntent {
  Target target;
  Intent intent;
};
std::optional<AddressedIntent> DecodePendingIntent(std::string_view bytes);

// ---- in both places where one is written: an entry, and a pending intent

template <class Builder>
void FillIntent(const Intent& from, Builder to) {
  switch (from.kind) {
    case IntentKind::kDeliver:
      return FillMessage(from.message, to.initDeliver());
    case IntentKind::kPost:
      return FillMessage(from.message, to.initPost());
    case IntentKind::kFanout: {
      auto fanout = to.initFanout();
      fanout.setGroup(from.group.value());
      fanout.setGroupSeq(from.group_seq);
      return;
    }
    case IntentKind::kContact: {
      auto contact = to.initContact();
      contact.setFrom(from.contact.from.value());
      FillHalf(from.contact.half, contact.initHalf());
      contact.setText(Data(from.contact.text));
      return;
    }
    case IntentKind::kRecall:
      return FillMessage(from.message, to.initRecall());
    case IntentKind::kUnpark:
      return to.setUnpark();
    case IntentKind::kReceipt: {
      auto receipt = to.initReceipt();
      receipt.setFrom(from.receipt.from.value());
      FillMark(from.receipt.read, receipt.initRead());
      FillMark(from.receipt.delivered, receipt.initDelivered());
      return;
    }
    case IntentKind::kTell:
      return to.setTell();
  }
}

// False for a kind of a later version.
template <class Reader>
bool ReadIntent(Reader from, Intent* to) {
  if (from.isDeliver()) {
    to->kind = IntentKind::kDeliver;
    to->message = ReadMessage(from.getDeliver());
  } else if (from.isPost()) {
    to->kind = IntentKind::kPost;
    to->message = ReadMessage(from.getPost());
  } else if (from.isFanout()) {
    to->kind = IntentKind::kFanout;
    to->group = Uin(from.getFanout().getGroup());
    to->group_seq = from.getFanout().getGroupSeq();
  } else if (from.isContact()) {
    to->kind = IntentKind::kContact;
    const auto contact = from.getContact();
    to->contact = {Uin(contact.getFrom()), ReadHalf(contact.getHalf()),
                   std::string(View(contact.getText()))};
  } else if (from.isRecall()) {
    to->kind = IntentKind::kRecall;
    to->message = ReadMessage(from.getRecall());
  } else if (from.isUnpark()) {
    to->kind = IntentKind::kUnpark;
  } else if (from.isReceipt()) {
    to->kind = IntentKind::kReceipt;
    const auto receipt = from.getReceipt();
    to->receipt = {Uin(receipt.getFrom()), ReadMark(receipt.getRead()),
                   ReadMark(receipt.getDelivered())};
  } else if (from.isTell()) {
    to->kind = IntentKind::kTell;
  } else {
    return false;
  }
  return true;
}

}  // namespace homeport::core
