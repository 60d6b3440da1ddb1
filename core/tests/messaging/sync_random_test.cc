// The sync protocol against a dumb model: a list of everything that ever came into each inbox.
// Devices sync in pages of any size, lose answers, repeat, come back as they were at some earlier
// time, fall silent, are registered and removed; time passes, inboxes are trimmed, the region
// crashes.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <set>

#include "core/messaging/keys.h"
#include "core/messaging/rows.h"
#include "core/tests/messaging/world.h"

namespace homeport::core {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr uint16_t kShards = 2;

MessagingOptions Options() {
  MessagingOptions options;
  options.inbox_retention = hours(20);
  options.device_gone_after = hours(200);
  options.ack_items = 4;
  options.ack_age = hours(2);
  options.recall_within = hours(50);
  return options;
}

// What an inbox ever held, in its order.
struct Item {
  uint64_t version = 0;
  MessageId id;
  std::string body;
  int64_t at_ms = 0;  // not before
  ClientMessageId sent_as;
  bool recalled = false;
  bool is_recall = false;
  bool of_group = false;

  // What a client knows it by: a message and its recall have the same id.
  std::pair<MessageId, bool> name() const { return {id, is_recall}; }
};

// What a client keeps on its disk: written at once.
struct Disk {
  std::string snapshot;
  uint64_t position = 0;  // what the snapshot covers, as the model knows it
  uint64_t changes = 0;   // of the conversations, likewise
  std::map<Uin, uint64_t> read = {};
  std::vector<std::pair<MessageId, bool>> messages;
};

struct DeviceModel {
  uint64_t install = 0;
  DeviceNumber number;
  Disk disk;
  std::vector<Disk> backups;
  uint64_t begins_after = 0;  // what was gone when it began
  uint64_t acknowledged = 0;  // the most it ever brought
  int64_t brought_ms = 0;     // last time, or its registration
  uint64_t remembered = 0;    // by its user's home, of what it acknowledged
};

struct UserModel {
  Uin uin;
  std::vector<Item> items;
  uint64_t floor = 0;  // the items up to it are gone
  std::vector<DeviceModel> devices;
  std::vector<Uin> changes = {};      // of its conversations: which, in order
  std::map<Uin, uint64_t> read = {};  // how far, by conversation
  uint64_t read_told = 0;             // to the sender
  uint64_t delivered_told = 0;
  uint64_t told = 0;  // all that was delivered up to here
};

struct Seen {
  size_t pages = 0;
  size_t resyncs = 0;
  size_t trimmed = 0;
  size_t restored = 0;
  size_t lost_answers = 0;
  size_t recalled = 0;
  size_t read = 0;
  size_t delivered = 0;
};

class SyncRun {
 public:
  SyncRun(uint64_t seed, Seen* seen) : random_(seed), world_(2, kShards, Options()), seen_(*seen) {
    sender_ = world_.NewAccount(1, AccountKind::kUser, "sender");
    group_ = world_.NewAccount(1, AccountKind::kGroup, "group");
    for (int i = 0; i < 3; ++i) {
      users_.push_back(
          {world_.NewAccount(0, AccountKind::kUser, "u" + std::to_string(i)), {}, 0, {}});
      if (i > 0) world_.Run(1, JoinGroup{group_, users_.back().uin});
    }
    world_.Settle();
  }

  void Steps(int count) {
    for (int i = 0; i < count && !::testing::Test::HasFailure(); ++i) Step();
  }

  // Everybody who is left syncs to the end and has the same; then nothing needs to be kept.
  void End() {
    for (UserModel& user : users_) {
      for (DeviceModel& device : user.devices) SyncToEnd(user, device);
      for (DeviceModel& device : user.devices) SyncToEnd(user, device);  // acknowledges the rest
      for (const DeviceModel& device : user.devices) {
        CheckHasAll(user, device);
        EXPECT_EQ(device.disk.read, user.read);
      }
    }
    CheckTheSenderKnows();
    world_.Pass(Options().inbox_retention + Options().ack_age + minutes(1));
    for (UserModel& user : users_) {
      for (DeviceModel& device : user.devices) SyncToEnd(user, device);
    }
    world_.Pass(Options().device_gone_after);  // where there is no device
    for (UserModel& user : users_) {
      for (DeviceModel& device : user.devices) SyncToEnd(user, device);
    }
    Trim();
    for (UserModel& user : users_) {
      EXPECT_EQ(user.floor, user.items.size()) << "retention ends";
    }
    world_.Settle();
    EXPECT_EQ(world_.Differences(), std::vector<std::string>());
  }

 private:
  size_t Pick(size_t n) { return random_() % n; }
  UserModel& AnyUser() { return users_[Pick(users_.size())]; }

  void Step() {
    const size_t dice = Pick(100);
    UserModel& user = AnyUser();
    if (dice < 30) {
      Say(user);
    } else if (dice < 36) {
      Post();
    } else if (dice < 42) {
      Register(user);
    } else if (dice < 43) {
      Remove(user);
    } else if (dice < 46) {
      Restore(user);
    } else if (dice < 54) {
      world_.Pass(minutes(Pick(Pick(10) == 0 ? 6000 : 200)));
    } else if (dice < 62) {
      Trim();
    } else if (dice < 63) {
      world_.Flush(0);
    } else if (dice < 67 && dice >= 64) {
      Recall(user);
    } else if (dice < 73 && dice >= 67) {
      Read(user);
    } else if (dice < 64) {
      world_.Settle();
      world_.Crash(0, [this](size_t n) { return Pick(n); });
      world_.Settle();
    } else if (!user.devices.empty()) {
      SyncOnce(user, user.devices[Pick(user.devices.size())], Pick(5) == 0);
    }
  }

  // ---- what comes in

  void Say(UserModel& user) {
    for (size_t n = Pick(4); n > 0; --n) {
      const std::string body(Pick(60), static_cast<char>('a' + Pick(26)));
      const auto sent = world_.Run(1, Send(sender_, ++next_id_, user.uin, body));
      ASSERT_TRUE(sent.status.ok()) << sent.status;
      Arrived(user, sent.message, body, ClientMessageId(next_id_));
    }
    world_.Settle();
  }
  void Post() {
    const auto sent = world_.Run(1, core::Post(sender_, ++next_id_, group_, "to all"));
    ASSERT_TRUE(sent.status.ok()) << sent.status;
    for (size_t i = 1; i < users_.size(); ++i) {
      Arrived(users_[i], sent.message, "to all");
      users_[i].items.back().of_group = true;
    }
    world_.Settle();
  }
  void Arrived(UserModel& user, MessageId id, const std::string& body,
               ClientMessageId sent_as = {}) {
    user.items.push_back(
        {user.items.size() + 1, id, body, world_.now_ms(), sent_as, false, false, false});
  }
  // The sender takes one of its messages back, even one that is trimmed.
  void Recall(UserModel& user) {
    if (user.items.empty()) return;
    const size_t at = Pick(user.items.size());
    const ClientMessageId sent_as = user.items[at].sent_as;
    if (sent_as == ClientMessageId()) return;
    const auto result = world_.Run(1, RecallMessage{sender_, sent_as});
    if (!result.status.ok()) {
      EXPECT_EQ(result.status.code(), Code::kRefused) << result.status;
      return;
    }
    EXPECT_EQ(result.changed, !user.items[at].recalled);
    if (!result.changed) return;
    user.items[at].body.clear();
    user.items[at].recalled = true;
    Arrived(user, user.items[at].id, "");
    user.items.back().is_recall = true;
    world_.Settle();
    ++seen_.recalled;
  }

  // ---- positions

  // Says that it has read what came at some time, gone or not, or so it says.
  void Read(UserModel& user) {
    if (user.items.empty()) return;
    const Item& item = user.items[Pick(user.items.size())];
    const bool gone = item.version <= user.floor;
    const bool lies = Pick(10) == 0;
    const Uin with = item.of_group != lies ? group_ : sender_;
    const auto result = world_.Run(0, MarkRead{user.uin, with, {{}, Version(item.version)}});
    uint64_t& read = user.read[with];
    if (lies && !gone && item.version > read) {
      EXPECT_EQ(result.status.code(), Code::kBadRequest) << result.status;
      if (read == 0) user.read.erase(with);
      return;
    }
    ASSERT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(result.changed, item.version > read);
    if (!result.changed) return;
    read = item.version;
    user.changes.push_back(with);
    if (!gone && !item.of_group && !item.is_recall) {
      user.read_told = std::max(user.read_told, item.version);
    }
    world_.Settle();
    ++seen_.read;
  }
  // What its devices acknowledged was written.
  void Delivered(UserModel& user) {
    uint64_t through = 0;
    for (const DeviceModel& device : user.devices) through = std::max(through, device.remembered);
    for (uint64_t version = std::max(user.told, user.floor) + 1; version <= through; ++version) {
      const Item& item = user.items[version - 1];
      if (item.of_group || item.is_recall) continue;
      user.delivered_told = version;
      ++seen_.delivered;
    }
    user.told = std::max(user.told, through);
  }
  void CheckTheSenderKnows() {
    world_.Settle();
    const auto page = ReadSync(world_.store(1), {kShards, {}}, sender_, {}, "", {});
    ASSERT_TRUE(page.ok()) << page.status();
    std::map<Uin, Conversation> known;
    for (const SyncConversation& row : page->conversations) known[row.with] = row.conversation;
    for (const UserModel& user : users_) {
      CheckMark(user, known[user.uin].peers_read, user.read_told);
      CheckMark(user, known[user.uin].peers_delivered,
                std::max(user.read_told, user.delivered_told));
    }
  }
  void CheckMark(const UserModel& user, const Mark& mark, uint64_t version) {
    ASSERT_EQ(mark.at.version.value(), version);
    EXPECT_EQ(mark.message, version > 0 ? user.items[version - 1].id : MessageId());
  }
  // A page has the changed conversations after `changes`, each as it is now. False when there are
  // more than it may hold.
  bool CheckConversations(const UserModel& user, uint64_t changes, const SyncLimits& limits,
                          const SyncPage& page) {
    std::vector<Uin> expected;
    for (size_t i = changes; i < user.changes.size(); ++i) {
      const auto after = user.changes.begin() + static_cast<ptrdiff_t>(i) + 1;
      if (std::find(after, user.changes.end(), user.changes[i]) == user.changes.end()) {
        expected.push_back(user.changes[i]);
      }
    }
    const bool whole = expected.size() <= limits.items_max;
    if (!whole) expected.resize(limits.items_max);
    std::vector<Uin> got;
    for (const SyncConversation& row : page.conversations) {
      got.push_back(row.with);
      EXPECT_EQ(row.conversation.read.at.version.value(), user.read.at(row.with));
    }
    EXPECT_EQ(got, expected);
    EXPECT_TRUE(whole || (page.more && page.messages.empty()));
    return whole;
  }

  // ---- devices

  void Register(UserModel& user) {
    if (user.devices.size() >= 4) return;
    DeviceModel device;
    device.install = ++next_id_;
    const auto result = world_.Run(0, RegisterDevice{user.uin, device.install, "d"});
    ASSERT_TRUE(result.status.ok()) << result.status;
    device.number = result.device;
    device.begins_after = device.acknowledged = user.floor;
    device.brought_ms = world_.now_ms();
    user.devices.push_back(device);
    EXPECT_EQ(world_.Run(0, RegisterDevice{user.uin, device.install, "d"}).device, result.device);
  }
  void Remove(UserModel& user) {
    if (user.devices.empty()) return;
    const size_t at = Pick(user.devices.size());
    EXPECT_TRUE(world_.Run(0, RemoveDevice{user.uin, user.devices[at].number}).changed);
    user.devices.erase(user.devices.begin() + static_cast<ptrdiff_t>(at));
  }
  // The device comes back as it was at some earlier time.
  void Restore(UserModel& user) {
    if (user.devices.empty()) return;
    DeviceModel& device = user.devices[Pick(user.devices.size())];
    if (device.backups.empty()) return;
    device.disk = device.backups[Pick(device.backups.size())];
    ++seen_.restored;
  }

  // One exchange, checked against the model. False when the device has all there is.
  bool SyncOnce(UserModel& user, DeviceModel& device, bool lose_answer) {
    SyncLimits limits;
    limits.items_max = 1 + Pick(6);
    if (Pick(3) == 0) limits.bytes_max = Pick(150);
    const Disk before = device.disk;
    const auto page =
        ReadSync(world_.store(0), {kShards, {}}, user.uin, device.number, before.snapshot, limits);
    ++seen_.pages;
    if (!page.ok()) {
      Refused(user, device, page.status());
      return true;
    }
    if (!before.snapshot.empty()) Acknowledged(user, device, *page);
    if (CheckConversations(user, before.snapshot.empty() ? 0 : before.changes, limits, *page)) {
      CheckPage(user, before.snapshot.empty() ? user.floor : before.position, limits, *page);
    }
    if (lose_answer) {
      ++seen_.lost_answers;
      return true;
    }
    Take(user, device, *page);
    return page->more || !page->messages.empty() || !page->conversations.empty();
  }

  void Refused(UserModel& user, DeviceModel& device, const Status& status) {
    ASSERT_EQ(status.code(), Code::kResync) << status;
    EXPECT_EQ(status.detail(), user.floor);
    EXPECT_LT(device.disk.position, user.floor) << "nothing that it lacks is gone";
    const bool was_live = world_.now_ms() - device.brought_ms <= Live();
    const bool restored = device.disk.position < device.acknowledged;
    EXPECT_TRUE(!was_live || restored || device.acknowledged < user.floor) << "a live device";
    ++seen_.resyncs;
    // What it has it keeps; what was gone in between it never gets.
    device.disk.snapshot.clear();
  }

  // The gateway's part: what was brought is told to the home.
  void Acknowledged(UserModel& user, DeviceModel& device, const SyncPage& page) {
    ASSERT_TRUE(page.acknowledges.has_value());
    EXPECT_EQ(page.acknowledges->brought.version.value(), device.disk.position);
    EXPECT_LE(page.acknowledges->remembered.version.value(), device.acknowledged)
        << "remembered is never more than acknowledged";
    device.acknowledged = std::max(device.acknowledged, device.disk.position);
    device.brought_ms = world_.now_ms();
    const auto told =
        world_.Run(0, core::Acknowledge{user.uin, device.number, page.acknowledges->brought});
    EXPECT_TRUE(told.status.ok()) << told.status;
    if (!told.changed) return;
    device.remembered = std::max(device.remembered, device.disk.position);
    Delivered(user);
  }

  // Exactly the items after `position`, in order, as many as the limits allow.
  void CheckPage(const UserModel& user, uint64_t position, const SyncLimits& limits,
                 const SyncPage& page) {
    size_t bytes = 0;
    size_t at = position;
    for (const SyncMessage& message : page.messages) {
      ASSERT_LT(at, user.items.size()) << "more than ever came in";
      const Item& item = user.items[at++];
      EXPECT_EQ(message.version, item.version);
      EXPECT_EQ(message.id, item.id);
      EXPECT_EQ(message.body, item.body);
      EXPECT_EQ(message.recalled, item.recalled);
      EXPECT_EQ(message.is_recall, item.is_recall);
      bytes += item.body.size();
    }
    const size_t rows = page.conversations.size() + page.messages.size();
    EXPECT_LE(rows, limits.items_max);
    EXPECT_TRUE(rows <= 1 || bytes <= limits.bytes_max);
    EXPECT_EQ(page.more, at < user.items.size()) << "a page ends for its limits only";
    if (page.more) {
      EXPECT_TRUE(rows == limits.items_max ||
                  bytes + user.items[at].body.size() > limits.bytes_max);
    }
  }

  void Take(const UserModel& user, DeviceModel& device, const SyncPage& page) {
    Disk& disk = device.disk;
    if (Pick(4) == 0) device.backups.push_back(disk);
    uint64_t from = disk.position;
    if (disk.snapshot.empty()) {
      from = user.floor;
      device.begins_after = std::max(device.begins_after, from);
    }
    disk.snapshot = page.snapshot;
    disk.position = from + page.messages.size();
    for (const SyncConversation& row : page.conversations) {
      disk.read[row.with] = row.conversation.read.at.version.value();
    }
    CoverChanges(user, &disk, page);
    for (const SyncMessage& message : page.messages) {
      // After a RESYNC it knows by the id what it has.
      const std::pair name(message.id, message.is_recall);
      if (std::find(disk.messages.begin(), disk.messages.end(), name) == disk.messages.end()) {
        disk.messages.push_back(name);
      }
    }
  }

  // All changes up to the last one of the last row that came, or all there are.
  static void CoverChanges(const UserModel& user, Disk* disk, const SyncPage& page) {
    if (page.more && page.messages.empty() && !page.conversations.empty()) {
      const Uin last = page.conversations.back().with;
      disk->changes = static_cast<uint64_t>(
          user.changes.rend() - std::find(user.changes.rbegin(), user.changes.rend(), last));
      return;
    }
    disk->changes = user.changes.size();
  }

  void SyncToEnd(UserModel& user, DeviceModel& device) {
    while (SyncOnce(user, device, Pick(4) == 0) && !::testing::Test::HasFailure()) {
    }
  }

  void CheckHasAll(const UserModel& user, const DeviceModel& device) {
    std::vector<std::pair<MessageId, bool>> expected;
    for (const Item& item : user.items) {
      if (item.version > device.begins_after) expected.push_back(item.name());
    }
    // Before a gap it has a part of what was there.
    const auto& has = device.disk.messages;
    ASSERT_GE(has.size(), expected.size());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), has.end() - expected.size()));
    EXPECT_EQ(std::set(has.begin(), has.end()).size(), has.size()) << "none twice";
    size_t at = 0;
    for (const auto& name : has) {
      while (at < user.items.size() && user.items[at].name() != name) ++at;
      EXPECT_LT(at++, user.items.size()) << "in the order of all, and nothing else";
    }
  }

  // ---- retention

  // So long after it brought a snapshot no device can be taken for gone: what is remembered of it
  // may be older.
  static int64_t Live() {
    return std::chrono::milliseconds(Options().device_gone_after - Options().ack_age).count();
  }

  void Trim() {
    world_.TrimInboxes(0);
    for (UserModel& user : users_) {
      const uint64_t floor = ReadCounters(world_.store(0), ShardOf(user.uin, kShards), user.uin)
                                 .counters.floor.version.value();
      ASSERT_GE(floor, user.floor);
      ASSERT_LE(floor, user.items.size());
      for (uint64_t version = user.floor + 1; version <= floor; ++version) {
        CheckMayGo(user, user.items[version - 1]);
        ++seen_.trimmed;
      }
      user.floor = floor;
      CheckKept(user);
    }
  }
  void CheckMayGo(const UserModel& user, const Item& item) {
    EXPECT_GE(world_.now_ms() - item.at_ms, Options().inbox_retention.count()) << "young";
    for (const DeviceModel& device : user.devices) {
      if (world_.now_ms() - device.brought_ms > Live()) continue;
      EXPECT_GE(device.acknowledged, item.version) << "a live device has not got it";
    }
    if (user.devices.empty()) {
      EXPECT_GE(world_.now_ms() - item.at_ms, Options().device_gone_after.count());
    }
  }
  void CheckKept(const UserModel& user) {
    std::vector<uint64_t> kept;
    const ShardId shard = ShardOf(user.uin, kShards);
    const std::string end = InboxEndKey(shard, user.uin);
    world_.store(0).Scan(InboxPrefix(shard, user.uin), end, [&](std::string_view key, auto) {
      kept.push_back(PlaceOfInboxKey(key).stamp.version.value());
      return true;
    });
    ASSERT_EQ(kept.size(), user.items.size() - user.floor);
    for (size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(kept[i], user.floor + 1 + i);
  }

  std::mt19937_64 random_;
  World world_;
  Seen& seen_;
  Uin sender_;
  Uin group_;
  std::vector<UserModel> users_;
  uint64_t next_id_ = 0;
};

TEST(SyncRandomTest, AgreesWithAListOfEverything) {
  Seen seen;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SyncRun run(seed, &seen);
    run.Steps(600);
    if (!HasFailure()) run.End();
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
  EXPECT_GT(seen.pages, 5000u);
  EXPECT_GT(seen.trimmed, 1000u);
  EXPECT_GT(seen.resyncs, 50u);
  EXPECT_GT(seen.restored, 100u);
  EXPECT_GT(seen.lost_answers, 500u);
  EXPECT_GT(seen.recalled, 100u);
  EXPECT_GT(seen.read, 300u);
  EXPECT_GT(seen.delivered, 300u);
}

}  // namespace
}  // namespace homeport::core
