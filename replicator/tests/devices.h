// Devices: clients of a World's users that sync from their home, as a gateway serves them: they
// lose answers, get them late and out of order, crash back to what they had on disk, and come back
// from old backups. They mark some of what they get as read.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/messaging/keys.h"
#include "core/messaging/rows.h"
#include "core/messaging/sync.h"
#include "core/messaging/user_rows.h"
#include "replicator/tests/chat.h"
#include "replicator/tests/world.h"

namespace homeport::replicator {

class Devices {
 public:
  Devices(World* world, const Chat* chat) : world_(*world), chat_(*chat) {}

  void Register(size_t per_person) {
    for (size_t person = 0; person < chat_.people().size(); ++person) {
      for (size_t n = 0; n < per_person; ++n) {
        const Chat::Person& owner = chat_.people()[person];
        const auto result =
            world_.Must(owner.home, core::RegisterDevice{owner.uin, devices_.size() + 1, "d"});
        ASSERT_TRUE(result.status.ok()) << result.status;
        devices_.push_back({person, result.device, {}, {}, {}});
      }
    }
    for (size_t i = 0; i < devices_.size(); ++i) Go(i);
  }
  // No crash and no lost answer any more.
  void StopChaos() { chaos_ = false; }
  // They ask no more.
  void Stop() { stopped_ = true; }
  // Every device but those that came back from a backup has all, and every two of a person the
  // same, in the same order.
  void Check() const {
    for (const Device& device : devices_) {
      SCOPED_TRACE("device " + std::to_string(device.number.value()));
      if (device.lost_some) continue;
      chat_.CheckReceived(device.person, device.now.received);
      for (const Device& other : devices_) {
        if (other.person != device.person || other.lost_some) continue;
        EXPECT_EQ(Ids(device), Ids(other));
      }
    }
  }
  // At rest, who wrote knows of its readers what they have told of themselves.
  void CheckPositions() const {
    for (const Chat::Person& reader : chat_.people()) {
      for (const Chat::Person& writer : chat_.people()) {
        const core::Mark read = Find(reader, writer).read;
        const core::Conversation told = Find(writer, reader);
        // Without a message it was no longer kept, and is not told.
        if (read.message != core::MessageId()) {
          EXPECT_EQ(told.peers_read, read);
        } else {
          EXPECT_LE(told.peers_read.at, read.at);
        }
        EXPECT_GE(told.peers_delivered.at, told.peers_read.at);
      }
    }
  }
  // Pairs in which the writer knows of something read, or delivered.
  size_t read() const { return Count(&core::Conversation::peers_read); }
  size_t delivered() const { return Count(&core::Conversation::peers_delivered); }
  size_t resyncs() const { return resyncs_; }
  size_t crashes() const { return crashes_; }
  size_t late_answers() const { return late_answers_; }

 private:
  struct State {
    std::string snapshot;
    std::vector<core::SyncMessage> received;
  };
  struct Device {
    size_t person;
    core::DeviceNumber number;
    State now;
    State disk;  // before a snapshot is brought, what it covers is there
    std::vector<State> backups;
    bool lost_some = false;  // it came back from a backup
  };

  // Where its commands go; a home that is not served just now refuses them.
  size_t HomeOf(const Chat::Person& person) const {
    const std::vector<size_t> homes = world_.ServingRegions(person.uin);
    return homes.empty() ? person.home : homes.front();
  }
  static std::vector<core::MessageId> Ids(const Device& device) {
    std::vector<core::MessageId> ids;
    for (const core::SyncMessage& message : device.now.received) ids.push_back(message.id);
    return ids;
  }

  core::Conversation Find(const Chat::Person& whose, const Chat::Person& with) const {
    const auto bytes = core::ReadLive(
        world_.store(HomeOf(whose)),
        core::ConversationKey(core::ShardOf(whose.uin, world_.shards()), whose.uin, with.uin));
    return bytes.has_value() ? core::DecodeConversation(*bytes).value() : core::Conversation();
  }
  size_t Count(core::Mark core::Conversation::*mark) const {
    size_t pairs = 0;
    for (const Chat::Person& reader : chat_.people()) {
      for (const Chat::Person& writer : chat_.people()) {
        pairs += (Find(writer, reader).*mark).at != core::Stamp();
      }
    }
    return pairs;
  }

  void Read(const Device& device, const core::SyncMessage& message) {
    const Chat::Person& owner = chat_.people()[device.person];
    const core::Uin with = message.group != core::Uin() ? message.group : message.sender;
    const core::Stamp place{message.epoch, core::Version(message.version)};
    world_.Try(HomeOf(owner), core::MarkRead{owner.uin, with, place},
               [](const core::CommandResult& result) {
                 EXPECT_NE(result.status.code(), core::Code::kBadRequest) << result.status;
               });
  }

  void Go(size_t i) {
    world_.At(milliseconds(20 + world_.Random(300)), [this, i] {
      if (stopped_) return;
      Ask(i);
      Go(i);
    });
  }

  void Ask(size_t i) {
    Device& device = devices_[i];
    if (chaos_ && world_.Chance(30)) {
      device.now = device.disk;
      ++crashes_;
    } else if (chaos_ && world_.Chance(3) && !device.backups.empty()) {
      device.lost_some = true;  // it may be: what it had since is perhaps gone
      device.now = device.disk = device.backups[world_.Random(device.backups.size())];
    }
    const Chat::Person& owner = chat_.people()[device.person];
    // Also where it is not known yet that the user has moved on.
    const std::vector<size_t> homes = world_.ServingRegions(owner.uin);
    if (homes.empty()) return;
    const size_t home = homes[world_.Random(homes.size())];
    device.disk = device.now;
    if (device.backups.size() < 20 && world_.Chance(50)) device.backups.push_back(device.disk);
    core::SyncLimits limits;
    limits.items_max = 1 + world_.Random(8);
    auto page = core::ReadSync(world_.store(home), {world_.shards(), {}}, owner.uin, device.number,
                               device.now.snapshot, limits);
    if (page.ok() && page->acknowledges.has_value()) {
      world_.Try(home, core::Acknowledge{owner.uin, device.number, page->acknowledges->brought},
                 [](const core::CommandResult&) {});
    }
    if (chaos_ && world_.Chance(100)) return;  // the answer is lost
    world_.At(milliseconds(chaos_ ? world_.Random(800) : 0),
              [this, i, brought = device.now.snapshot, page = std::move(page)] {
                Answer(i, brought, page);
              });
  }

  void Answer(size_t i, const std::string& brought, const core::Result<core::SyncPage>& page) {
    Device& device = devices_[i];
    if (brought != device.now.snapshot) {  // it has gone on from another answer, or crashed
      ++late_answers_;
      return;
    }
    if (!page.ok()) {
      ASSERT_EQ(page.status().code(), core::Code::kResync) << page.status();
      EXPECT_TRUE(device.lost_some) << "a device that keeps coming is told to begin again";
      ++resyncs_;
      device.now.snapshot.clear();
      return;
    }
    device.now.snapshot = page->snapshot;
    for (const core::SyncMessage& message : page->messages) {
      const bool has = std::any_of(device.now.received.begin(), device.now.received.end(),
                                   [&](const auto& one) { return one.id == message.id; });
      EXPECT_TRUE(!has || device.lost_some) << "twice: " << message.body;
      if (!has) device.now.received.push_back(message);
    }
    if (!page->messages.empty() && world_.Chance(300)) {
      Read(device, page->messages[world_.Random(page->messages.size())]);
    }
  }

  World& world_;
  const Chat& chat_;
  std::deque<Device> devices_;
  bool chaos_ = true;
  bool stopped_ = false;
  size_t resyncs_ = 0;
  size_t crashes_ = 0;
  size_t late_answers_ = 0;
};

}  // namespace homeport::replicator
