#include "core/messaging/rows.h"

#include "core/check.h"
#include "core/codec.h"
#include "core/messaging/row_codec.h"

namespace homeport::core {
namespace {

std::optional<AccountKind> KindOf(uint8_t kind) {
  if (kind > static_cast<uint8_t>(AccountKind::kGroup)) return std::nullopt;
  return static_cast<AccountKind>(kind);
}

Target ReadTarget(wire::Target::Reader reader) {
  Target target{Incarnation(reader.getIncarnation()),
                ShardId(reader.getShard()),
                {reader.getTakeover(), reader.getMove()},
                {}};
  const auto users = reader.getUsers();
  target.users.reserve(users.size());
  for (const uint64_t user : users) target.users.push_back(Uin(user));
  return target;
}

void CopyMessage(wire::Message::Reader from, wire::Message::Builder to) {
  to.setId(from.getId());
  to.setSender(from.getSender());
  to.setClientMessageId(from.getClientMessageId());
  to.setSentAtMs(from.getSentAtMs());
  to.setBody(from.getBody());
}

}  // namespace

std::string EncodeRow(const Stamp& stamp, bool deleted, std::string_view value) {
  return Encode<wire::Row>([&](wire::Row::Builder row) {
    row.setTakeover(stamp.epoch.takeover);
    row.setMove(stamp.epoch.move);
    row.setVersion(stamp.version.value());
    row.setDeleted(deleted);
    row.setValue(Data(value));
  });
}

std::optional<Row> DecodeRow(std::string_view bytes) {
  Row out;
  const Status status = Decode<wire::Row>(bytes, [&](wire::Row::Reader row) -> Status {
    out.stamp = {{row.getTakeover(), row.getMove()}, Version(row.getVersion())};
    out.deleted = row.getDeleted();
    out.value = View(row.getValue());
    return {};
  });
  if (!status.ok()) return std::nullopt;
  return out;
}

std::optional<Stamp> StampOfRow(std::string_view bytes) {
  Stamp stamp;
  const Status status = Decode<wire::Row>(bytes, [&](wire::Row::Reader row) -> Status {
    stamp = {{row.getTakeover(), row.getMove()}, Version(row.getVersion())};
    return {};
  });
  if (!status.ok()) return std::nullopt;
  return stamp;
}

std::optional<Row> ReadRow(const StoreView& store, std::string_view key) {
  const std::optional<std::string> bytes = store.Get(key);
  if (!bytes.has_value()) return std::nullopt;
  std::optional<Row> row = DecodeRow(*bytes);
  CHECK(row.has_value(), "only ApplyEntry writes rows, and in this format", bytes->size());
  return row;
}

std::optional<std::string> ReadLive(const StoreView& store, std::string_view key) {
  std::optional<Row> row = ReadRow(store, key);
  if (!row.has_value() || row->deleted) return std::nullopt;
  return std::move(row->value);
}

std::string EncodeAccount(const AccountInfo& account) {
  return Encode<wire::Account>([&](wire::Account::Builder out) {
    out.setVersion(kRowVersion);
    out.setUin(account.uin.value());
    out.setKind(static_cast<uint8_t>(account.kind));
    out.setName(Data(account.name));
    out.setCreatedAtMs(account.created_at_ms);
    out.setHome(account.home.value());
    out.setTakeover(account.epoch.takeover);
    out.setMove(account.epoch.move);
    out.setAdopted(true);
  });
}

std::optional<AccountInfo> DecodeAccount(std::string_view bytes) {
  return DecodeValue<wire::Account, AccountInfo>(bytes, [](auto in, AccountInfo* out) -> Status {
    const auto kind = KindOf(in.getKind());
    if (!kind.has_value()) return Status::BadRequest("unknown account kind");
    *out = {Uin(in.getUin()),
            *kind,
            std::string(View(in.getName())),
            Incarnation(in.getHome()),
            {in.getTakeover(), in.getMove()},
            in.getCreatedAtMs()};
    return {};
  });
}

std::string EncodeName(AccountKind kind, Uin uin) {
  return Encode<wire::Name>([&](wire::Name::Builder out) {
    out.setVersion(kRowVersion);
    out.setKind(static_cast<uint8_t>(kind));
    out.setUin(uin.value());
  });
}

std::optional<Uin> DecodeName(std::string_view bytes) {
  return DecodeValue<wire::Name, Uin>(bytes, [](auto in, Uin* out) -> Status {
    *out = Uin(in.getUin());
    return {};
  });
}

std::string EncodeMember(int64_t joined_at_ms) {
  return Encode<wire::Member>([&](wire::Member::Builder out) {
    out.setVersion(kRowVersion);
    out.setJoinedAtMs(joined_at_ms);
  });
}

std::string EncodeRemembered(const Remembered& remembered) {
  return Encode<wire::Remembered>([&](wire::Remembered::Builder out) {
    out.setVersion(kRowVersion);
    out.setMessage(remembered.message.value());
    out.setAtMs(remembered.at_ms);
    out.setGroupSeq(remembered.group_seq);
  });
}

std::optional<Remembered> DecodeRemembered(std::string_view bytes) {
  return DecodeValue<wire::Remembered, Remembered>(bytes, [](auto in, Remembered* out) -> Status {
    *out = {MessageId(in.getMessage()), in.getAtMs(), in.getGroupSeq()};
    return {};
  });
}

void FillMessage(const Message& message, wire::Message::Builder builder) {
  builder.setId(message.id.value());
  builder.setSender(message.sender.value());
  builder.setClientMessageId(message.client_message.value());
  builder.setSentAtMs(message.sent_at_ms);
  builder.setBody(Data(message.body));
}

Message ReadMessage(wire::Message::Reader reader) {
  return {MessageId(reader.getId()), Uin(reader.getSender()),
          ClientMessageId(reader.getClientMessageId()), reader.getSentAtMs(),
          std::string(View(reader.getBody()))};
}

std::string EncodeGroupMessage(const GroupMessage& message) {
  return Encode<wire::GroupMessage>([&](wire::GroupMessage::Builder out) {
    out.setVersion(kRowVersion);
    out.setGroupSeq(message.group_seq);
    FillMessage(message.message, out.initMessage());
  });
}

std::optional<GroupMessage> DecodeGroupMessage(std::string_view bytes) {
  return DecodeValue<wire::GroupMessage, GroupMessage>(
      bytes, [](auto in, GroupMessage* out) -> Status {
        *out = {in.getGroupSeq(), ReadMessage(in.getMessage())};
        return {};
      });
}

std::string EncodeInboxItem(const InboxItem& item) {
  return Encode<wire::InboxItem>([&](wire::InboxItem::Builder out) {
    out.setVersion(kRowVersion);
    out.setAtMs(item.at_ms);
    if (item.message.has_value()) {
      FillMessage(*item.message, out.initMessage());
    } else {
      auto group = out.initGroupMessage();
      group.setGroup(item.group.value());
      group.setGroupSeq(item.group_seq);
    }
  });
}

std::optional<InboxItem> DecodeInboxItem(std::string_view bytes) {
  return DecodeValue<wire::InboxItem, InboxItem>(bytes, [](auto in, InboxItem* out) -> Status {
    out->at_ms = in.getAtMs();
    switch (in.which()) {
      case wire::InboxItem::MESSAGE:
        out->message = ReadMessage(in.getMessage());
        return {};
      case wire::InboxItem::GROUP_MESSAGE:
        out->group = Uin(in.getGroupMessage().getGroup());
        out->group_seq = in.getGroupMessage().getGroupSeq();
        return {};
    }
    return Status::BadRequest("unknown kind of inbox item");
  });
}

void FillTarget(const Target& target, wire::Target::Builder builder) {
  builder.setIncarnation(target.incarnation.value());
  builder.setShard(target.shard.value());
  builder.setTakeover(target.epoch.takeover);
  builder.setMove(target.epoch.move);
  auto users = builder.initUsers(static_cast<unsigned>(target.users.size()));
  for (unsigned i = 0; i < users.size(); ++i) users.set(i, target.users[i].value());
}

std::string EncodePendingIntent(const Target& target, const Intent& intent) {
  return Encode<wire::PendingIntent>([&](wire::PendingIntent::Builder out) {
    out.setVersion(kRowVersion);
    FillTarget(target, out.initTarget());
    switch (intent.kind) {
      case IntentKind::kDeliver:
        FillMessage(intent.message, out.initDeliver());
        break;
      case IntentKind::kPost:
        FillMessage(intent.message, out.initPost());
        break;
      case IntentKind::kFanout:
        auto fanout = out.initFanout();
        fanout.setGroup(intent.group.value());
        fanout.setGroupSeq(intent.group_seq);
        break;
    }
  });
}

std::string EncodePendingIntent(wire::Target::Reader target, wire::Intent::Reader intent) {
  // Field by field, not by copying whole structs: those would bring along pointers of the wrong
  // kind, which are found only when read.
  return Encode<wire::PendingIntent>([&](wire::PendingIntent::Builder out) {
    out.setVersion(kRowVersion);
    FillTarget(ReadTarget(target), out.initTarget());
    switch (intent.which()) {
      case wire::Intent::DELIVER:
        CopyMessage(intent.getDeliver(), out.initDeliver());
        break;
      case wire::Intent::POST:
        CopyMessage(intent.getPost(), out.initPost());
        break;
      case wire::Intent::FANOUT:
        auto fanout = out.initFanout();
        fanout.setGroup(intent.getFanout().getGroup());
        fanout.setGroupSeq(intent.getFanout().getGroupSeq());
        break;
    }
  });
}

std::optional<AddressedIntent> DecodePendingIntent(std::string_view bytes) {
  return DecodeValue<wire::PendingIntent, AddressedIntent>(
      bytes, [](auto in, AddressedIntent* out) -> Status {
        out->target = ReadTarget(in.getTarget());
        switch (in.which()) {
          case wire::PendingIntent::DELIVER:
            out->intent.kind = IntentKind::kDeliver;
            out->intent.message = ReadMessage(in.getDeliver());
            return {};
          case wire::PendingIntent::POST:
            out->intent.kind = IntentKind::kPost;
            out->intent.message = ReadMessage(in.getPost());
            return {};
          case wire::PendingIntent::FANOUT:
            out->intent.kind = IntentKind::kFanout;
            out->intent.group = Uin(in.getFanout().getGroup());
            out->intent.group_seq = in.getFanout().getGroupSeq();
            return {};
        }
        return Status::BadRequest("unknown kind of intent");
      });
}

std::string EncodeNumber(uint64_t n) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(n >> (8 * (7 - i)));
  return bytes;
}

uint64_t ReadNumber(const StoreView& store, std::string_view key) {
  const std::optional<std::string> bytes = store.Get(key);
  if (!bytes.has_value()) return 0;
  CHECK(bytes->size() == 8, "a local number is 8 bytes", bytes->size());
  uint64_t n = 0;
  for (const char c : *bytes) n = n << 8 | static_cast<uint8_t>(c);
  return n;
}

}  // namespace homeport::core
