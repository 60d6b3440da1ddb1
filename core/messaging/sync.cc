#include "core/messaging/sync.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/config.h"
#include "core/messaging/keys.h"
#include "core/messaging/queries.h"
#include "core/messaging/rows.h"

namespace homeport::core {
namespace {

// Makes the reader's message of one inbox item. kUnavailable: the group's row has not arrived here.
Status ReadItem(const StoreView& store, uint16_t shards, std::string_view value, SyncMessage* out) {
  std::optional<InboxItem> item = DecodeInboxItem(value);
  if (!item.has_value()) return Status::Corrupt("an inbox item of unknown form is stored");
  if (!item->message.has_value()) {
    const ShardId shard = ShardOf(item->group, shards);
    const auto bytes = ReadLive(store, GroupMessageKey(shard, item->group, item->group_seq));
    if (!bytes.has_value()) return Status::Unavailable("the group's message is not here yet");
    std::optional<GroupMessage> row = DecodeGroupMessage(*bytes);
    if (!row.has_value()) return Status::Corrupt("a group message of unknown form is stored");
    out->group = item->group;
    out->group_seq = item->group_seq;
    item->message = std::move(row->message);
    item->recalled = row->recalled;
    item->is_recall = row->is_recall;
    out->event = std::move(row->event);
  }
  out->recalled = item->recalled;
  out->is_recall = item->is_recall;
  out->id = item->message->id;
  out->sender = item->message->sender;
  out->sent_at_ms = item->message->sent_at_ms;
  out->body = std::move(item->message->body);
  return {};
}

// Pager: fills one page, table after table; a table that does not fit ends it.
class Pager {
 public:
  Pager(const StoreView& store, const SyncContext& context, const SyncLimits& limits,
        const StoredCounters& stored, const Snapshot& brought, SyncPage* page)
      : store_(store),
        shards_(context.shards),
        shard_(ShardOf(brought.user, context.shards)),
        limits_(limits),
        counters_(stored.counters),
        epoch_(stored.epoch),
        page_(page),
        next_(brought) {}

  // Fills the page and answers the snapshot of what is in it.
  Result<Snapshot> Fill() {
    // Else the token of a first page without a message would be below the floor.
    next_.messages = std::max(next_.messages, counters_.floor);
    FillAccount();
    RETURN_IF_ERROR(FillContacts());
    if (page_->more) return next_;
    RETURN_IF_ERROR(FillMessages());
    return next_;
  }

 private:
  // Whether a row of so many bytes goes into this page; else there is more.
  bool Take(size_t bytes) {
    const bool fits =
        items_ == 0 || (items_ < limits_.items_max && bytes_ + bytes <= limits_.bytes_max);
    if (!fits) {
      page_->more = true;
      return false;
    }
    ++items_;
    bytes_ += bytes;
    return true;
  }

  void FillAccount() {
    const Stamp account{epoch_, Version(counters_.account)};
    const bool changed = next_.account < account;
    next_.account = account;
    if (!changed) return;
    std::optional<AccountInfo> info = FindAccount(store_, shards_, next_.user);
    if (!info.has_value()) return;
    SyncAccount& to = page_->account.emplace();
    to.account = std::move(*info);
    for (const DevicePosition& position : counters_.devices) {
      const auto row = ReadLive(store_, DeviceKey(shard_, next_.user, position.number));
      std::optional<Device> device = row.has_value() ? DecodeDevice(*row) : std::nullopt;
      if (!device.has_value()) continue;
      to.devices.push_back({position.number, std::move(*device), position.seen_at_ms});
    }
  }

  // Contacts and conversations, in the order of their changes.
  Status FillContacts() {
    const Stamp last{epoch_, Version(counters_.contacts)};
    if (next_.contacts < last) {
      Status failed;
      store_.Scan(ChangeKey(shard_, next_.user, next_.contacts) + '\0',
                  PrefixEnd(ChangePrefix(shard_, next_.user)),
                  [&](std::string_view key, std::string_view row_key) {
                    failed = TakeChanged(row_key);
                    if (!failed.ok() || page_->more) return false;
                    next_.contacts = StampOfChangeKey(key);
                    return true;
                  });
      RETURN_IF_ERROR(failed);
      if (page_->more) {
        // A token has one epoch for both; the account comes again, which is harmless.
        next_.account.epoch = next_.contacts.epoch;
        return {};
      }
    }
    next_.contacts = last;
    return {};
  }

  // A contact or conversation goes into the page, if it fits.
  Status TakeChanged(std::string_view key) {
    const std::string bytes = ReadLive(store_, key).value_or(std::string());
    if (TableOf(key) == Table::kConversation) {
      const std::optional<Conversation> conversation = DecodeConversation(bytes);
      if (!conversation.has_value()) {
        return Status::Corrupt("a conversation of unknown form is stored");
      }
      if (Take(0)) page_->conversations.push_back({PeerOfKey(key), *conversation});
      return {};
    }
    std::optional<Contact> contact = DecodeContact(bytes);
    if (!contact.has_value()) return Status::Corrupt("a contact of unknown form is stored");
    if (Take(contact->text.size() + contact->remark.size())) {
      page_->contacts.push_back({PeerOfKey(key), std::move(*contact)});
    }
    return {};
  }

  // Position of the last item in the inbox; also when older ones are gone.
  Stamp LastMessage() const {
    const std::string prefix = InboxPrefix(shard_, next_.user);
    Stamp cleared = counters_.floor;
    if (counters_.messages > 0) cleared = {epoch_, Version(counters_.messages)};
    const auto last = store_.Last(prefix, PrefixEnd(prefix));
    return last ? std::max(cleared, PlaceOfInboxKey(last->first).stamp) : cleared;
  }

  // next_.messages moves to the last item taken.
  Status FillMessages() {
    const Stamp last = LastMessage();
    if (next_.messages >= last) {
      next_.messages = last;
      return {};
    }
    Status failed;
    store_.Scan(InboxKey(shard_, next_.user, next_.messages) + '\0',
                PrefixEnd(InboxPrefix(shard_, next_.user)),
                [&](std::string_view key, std::string_view value) {
                  SyncMessage message;
                  if (Status status = ReadItem(store_, shards_, value, &message); !status.ok()) {
                    if (status.code() != Code::kUnavailable) failed = std::move(status);
                    return false;
                  }
                  if (!Take(message.body.size())) return false;
                  next_.messages = PlaceOfInboxKey(key).stamp;
                  message.version = next_.messages.version.value();
                  message.epoch = next_.messages.epoch;
                  page_->messages.push_back(std::move(message));
                  return true;
                });
    return failed;
  }

  const StoreView& store_;
  const uint16_t shards_;
  const ShardId shard_;
  const SyncLimits limits_;
  const Counters& counters_;
  const MastershipEpoch epoch_;
  SyncPage* page_;
  Snapshot next_;  // at first what was brought
  size_t items_ = 0;
  size_t bytes_ = 0;
};

Result<Snapshot> ParseBrought(const SyncContext& context, Uin user, DeviceNumber device,
                              std::string_view token) {
  Snapshot brought;
  if (!token.empty()) {
    ASSIGN_OR_RETURN(brought, ParseSnapshot(context.key, token));
    if (brought.user != user) return Status::BadRequest("this sync token belongs to another user");
    if (brought.device != device) {
      return Status::BadRequest("this sync token belongs to another device of the user");
    }
  }
  brought.user = user;
  brought.device = device;
  return brought;
}

}  // namespace

Result<SyncPage> ReadSync(const StoreView& store, const SyncContext& context, Uin user,
                          DeviceNumber device, std::string_view snapshot,
                          const SyncLimits& limits) {
  ASSIGN_OR_RETURN(const Snapshot brought, ParseBrought(context, user, device, snapshot));
  const StoredCounters stored = ReadCounters(store, ShardOf(user, context.shards), user);
  const Counters& counters = stored.counters;
  SyncPage page;
  if (device != DeviceNumber()) {
    const DevicePosition* known = counters.Find(device);
    if (known == nullptr) {
      return Status::BadRequest(
          fmt::format("user {} has no device {}; register it", user.value(), device.value()));
    }
    if (!snapshot.empty()) page.acknowledges = {brought.messages, known->acknowledged};
  }
  if (!snapshot.empty() && brought.messages < counters.floor) {
    return Status::Resync(
        counters.floor.version.value(),
        fmt::format("messages after this snapshot are no longer kept; begin again without one, it "
                    "starts after message {}",
                    counters.floor.version.value()));
  }
  Pager pager(store, context, limits, stored, brought, &page);
  ASSIGN_OR_RETURN(const Snapshot next, pager.Fill());
  ASSIGN_OR_RETURN(page.snapshot, FormatSnapshot(context.key, next));
  return page;
}

}  // namespace homeport::core
