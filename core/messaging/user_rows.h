// User rows: what a home keeps about a user besides its account and its messages: counters with the
// positions of its devices, the devices, contacts, and conversations.
//
// As rows.h: Decode... answers nullopt for bytes that are not such a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/messaging/contact.h"
#include "core/store.h"

namespace homeport::core {

// What is remembered of a device: lazily, so it has acknowledged and was seen at least so far.
struct DevicePosition {
  DeviceNumber number;
  int64_t seen_at_ms = 0;
  Stamp acknowledged;  // of the messages table
  bool operator==(const DevicePosition&) const = default;
};
struct Counters {
  uint64_t account = 0;
  uint64_t contacts = 0;
  uint64_t messages = 0;  // at least that of the last inbox item at the last trim
  uint64_t writes = 0;    // of the row itself: the version of its stamp
  Stamp floor;            // the inbox begins after it
  DeviceNumber last_device;
  std::vector<DevicePosition> devices = {};  // by number, ascending
  uint32_t contact_rows = 0;
  bool unparking = false;  // parked intents are left: what arrives is parked behind them
  uint32_t conversation_rows = 0;
  Stamp told = {};       // senders were told of what was delivered up to here
  bool telling = false;  // more of it is told by and by
  uint16_t record_tables = 0;
  bool operator==(const Counters&) const = default;

  DevicePosition* Find(DeviceNumber device);
  const DevicePosition* Find(DeviceNumber device) const;
};
std::string EncodeCounters(const Counters& counters);
std::optional<Counters> DecodeCounters(std::string_view bytes);
// As stored, with the epoch of the row; all zero when there is none.
struct StoredCounters {
  Counters counters;
  MastershipEpoch epoch;
};
StoredCounters ReadCounters(const StoreView& store, ShardId shard, Uin owner);

struct Device {
  uint64_t install = 0;  // a random number that the client made once
  std::string name;
  int64_t registered_at_ms = 0;
  bool operator==(const Device&) const = default;
};
std::string EncodeDevice(const Device& device);
std::optional<Device> DecodeDevice(std::string_view bytes);

std::string EncodeContact(const Contact& contact);
std::optional<Contact> DecodeContact(std::string_view bytes);

// How far somebody read, or was delivered, in one conversation: a place in the reader's inbox, by
// which marks are compared, and what lies there.
struct Mark {
  Stamp at;                // version 0: nothing yet
  MessageId message;       // one to one; 0: it is not known any more
  uint64_t group_seq = 0;  // of a group
  bool operator==(const Mark&) const = default;
};
// A user's conversation with another user, or in a group. The peer's marks are of what the user
// sent.
struct Conversation {
  Mark read;
  Mark peers_read;
  Mark peers_delivered;
  bool operator==(const Conversation&) const = default;
};
std::string EncodeConversation(const Conversation& conversation);
std::optional<Conversation> DecodeConversation(std::string_view bytes);

}  // namespace homeport::core
