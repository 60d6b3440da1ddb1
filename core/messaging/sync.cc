#include "core/messaging/sync.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/config.h"
#include "core/messaging/keys.h"
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
    out->group = item->group;
    if (!bytes.has_value()) {
      if (item->group_seq >
          ReadCounters(store, shard, item->group).counters.floor.version.value()) {
        return Status::Unavailable("the group's message is not here yet");
      }
      out->group_seq = item->group_seq;
      out->expired = true;
      return {};
    }
    std::optional<GroupMessage> row = DecodeGroupMessage(*bytes);
    if (!row.has_value()) return Status::Corrupt("a group message of unknown form is stored");
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

// Up to where the inbox was emptied once, for all that its counters tell.
Stamp ClearedThrough(const StoredCounters& stored) {
  const Counters& counters = stored.counters;
  return counters.messages > 0 ? Stamp{stored.epoch, Version(counters.messages)} : counters.floor;
}

// Pager: fills one page, table after table; a table that does not fit ends it.
class Pager {
 public:
  Pager(const StoreView& store, const SyncContext& context, const SyncLimits& limits,
        const SyncHead& head, SyncPage* page)
      : store_(store),
        shards_(context.shards),
        shard_(ShardOf(head.brought.user, context.shards)),
        limits_(limits),
        head_(head),
        counters_(head.user.counters.counters),
        epoch_(head.user.counters.epoch),
        page_(page),
        next_(head.brought) {}

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
    if (!head_.user.account.has_value()) return;
    SyncAccount& to = page_->account.emplace();
    to.account = *head_.user.account;
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
    if (head_.last_message.has_value()) return *head_.last_message;
    const Stamp cleared = ClearedThrough(head_.user.counters);
    const auto last = store_.Last(InboxPrefix(shard_, next_.user), InboxEndKey(shard_, next_.user));
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
                InboxEndKey(shard_, next_.user), [&](std::string_view key, std::string_view value) {
                  SyncMessage message;
                  if (Status status = ReadItem(store_, shards_, value, &message); !status.ok()) {
                    if (status.code() != Code::kUnavailable) failed = std::move(status);
                    page_->awaits_group = message.group;
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
  const SyncHead& head_;
  const Counters& counters_;
  const MastershipEpoch epoch_;
  SyncPage* page_;
  Snapshot next_;  // at first what was brought
  size_t items_ = 0;
  size_t bytes_ = 0;
};

Status ParseBrought(const SyncContext& context, std::string_view token, Snapshot* brought) {
  if (token.empty()) return {};
  ASSIGN_OR_RETURN(const Snapshot parsed, ParseSnapshot(context.key, token));
  if (parsed.user != brought->user) {
    return Status::BadRequest("this sync token belongs to another user");
  }
  if (parsed.device != brought->device) {
    return Status::BadRequest("this sync token belongs to another device of the user");
  }
  *brought = parsed;
  return {};
}

}  // namespace

SyncHead ReadSyncHead(const StoreView& store, const SyncContext& context, Uin user,
                      DeviceNumber device, std::string_view snapshot) {
  SyncHead head;
  head.first = snapshot.empty();
  head.brought.user = user;
  head.brought.device = device;
  head.token = ParseBrought(context, snapshot, &head.brought);
  const ShardId shard = ShardOf(user, context.shards);
  const Stamp& place = head.brought.messages;
  std::optional<UserRows> rows;
  bool is_there = false;  // what lies at the place
  if (!head.first && head.token.ok()) {
    const std::string end = InboxEndKey(shard, user);
    store.Scan(InboxKey(shard, user, place), end + '\0',
               [&](std::string_view key, std::string_view value) {
                 if (key == end) {
                   rows = DecodeUserEnd(value);
                   return false;
                 }
                 if (PlaceOfInboxKey(key).stamp != place) return false;
                 is_there = true;
                 return true;
               });
  }
  head.user = ReadUserHead(rows.has_value() ? *rows : LoadUserRows(store, shard, user));
  if (!rows.has_value()) return head;
  const Stamp cleared = ClearedThrough(head.user.counters);
  // Else the token may be of what a takeover lost: where the inbox ends must be looked up.
  if (is_there || cleared >= place) head.last_message = std::max(cleared, place);
  return head;
}

Result<SyncPage> ReadSync(const StoreView& store, const SyncContext& context, const SyncHead& head,
                          const SyncLimits& limits) {
  RETURN_IF_ERROR(head.token);
  const Snapshot& brought = head.brought;
  const Counters& counters = head.user.counters.counters;
  SyncPage page;
  if (brought.device != DeviceNumber()) {
    const DevicePosition* known = counters.Find(brought.device);
    if (known == nullptr) {
      return Status::BadRequest(fmt::format("user {} has no device {}; register it",
                                            brought.user.value(), brought.device.value()));
    }
    if (!head.first) page.acknowledges = {brought.messages, known->acknowledged};
  }
  if (!head.first && brought.messages < counters.floor) {
    return Status::Resync(
        counters.floor.version.value(),
        fmt::format("messages after this snapshot are no longer kept; begin again without one, it "
                    "starts after message {}",
                    counters.floor.version.value()));
  }
  Pager pager(store, context, limits, head, &page);
  ASSIGN_OR_RETURN(const Snapshot next, pager.Fill());
  ASSIGN_OR_RETURN(page.snapshot, FormatSnapshot(context.key, next));
  return page;
}

Result<SyncPage> ReadSync(const StoreView& store, const SyncContext& context, Uin user,
                          DeviceNumber device, std::string_view snapshot,
                          const SyncLimits& limits) {
  return ReadSync(store, context, ReadSyncHead(store, context, user, device, snapshot), limits);
}

}  // namespace homeport::core
