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
    out.setAdopted(account.adopted);
    if (!account.deps.empty()) {
      auto deps = out.initDeps(static_cast<unsigned>(account.deps.size()));
      for (unsigned i = 0; i < deps.size(); ++i) {
        deps[i].setStream(account.deps[i].stream.value());
        deps[i].setSeq(account.deps[i].seq.value());
      }
    }
    out.setOwner(account.owner.value());
    if (!account.title.empty()) out.setTitle(Data(account.title));
    out.setClosed(account.closed);
    if (account.fields.empty()) return;
    auto fields = out.initFields(static_cast<unsigned>(account.fields.size()));
    for (unsigned i = 0; i < fields.size(); ++i) {
      fields[i].setName(Data(account.fields[i].name));
      fields[i].setValue(Data(account.fields[i].value));
    }
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
    out->owner = Uin(in.getOwner());
    out->title = View(in.getTitle());
    out->closed = in.getClosed();
    out->adopted = in.getAdopted();
    for (const auto position : in.getDeps()) {
      out->deps.push_back({StreamId::FromValue(position.getStream()), Seq(position.getSeq())});
    }
    for (const auto field : in.getFields()) {
      out->fields.push_back(
          {std::string(View(field.getName())), std::string(View(field.getValue()))});
    }
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
    out.setTo(remembered.to.value());
    out.setInboxVersion(remembered.inbox_version);
    out.setRecalled(remembered.recalled);
  });
}

std::optional<Remembered> DecodeRemembered(std::string_view bytes) {
  return DecodeValue<wire::Remembered, Remembered>(bytes, [](auto in, Remembered* out) -> Status {
    *out = {MessageId(in.getMessage()), in.getAtMs(),    in.getGroupSeq(), Uin(in.getTo()),
            in.getInboxVersion(),       in.getRecalled()};
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
    out.setRecalled(message.recalled);
    out.setIsRecall(message.is_recall);
    out.setAtMs(message.at_ms);
    if (message.event == GroupEvent()) return;
    auto event = out.initEvent();
    event.setKind(static_cast<uint8_t>(message.event.kind));
    event.setSubject(message.event.subject.value());
    event.setText(Data(message.event.text));
  });
}

std::optional<GroupMessage> DecodeGroupMessage(std::string_view bytes) {
  return DecodeValue<wire::GroupMessage, GroupMessage>(
      bytes, [](auto in, GroupMessage* out) -> Status {
        const auto event = in.getEvent();
        if (event.getKind() > static_cast<uint8_t>(GroupEventKind::kOpened)) {
          return Status::BadRequest("unknown kind of event");
        }
        *out = {in.getGroupSeq(),
                ReadMessage(in.getMessage()),
                {static_cast<GroupEventKind>(event.getKind()), Uin(event.getSubject()),
                 std::string(View(event.getText()))},
                in.getRecalled(),
                in.getIsRecall(),
                in.getAtMs()};
        return {};
      });
}

std::string EncodeInboxItem(const InboxItem& item) {
  return Encode<wire::InboxItem>([&](wire::InboxItem::Builder out) {
    out.setVersion(kRowVersion);
    out.setAtMs(item.at_ms);
    out.setRecalled(item.recalled);
    out.setIsRecall(item.is_recall);
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
    out->recalled = in.getRecalled();
    out->is_recall = in.getIsRecall();
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

std::string EncodeNumber(uint64_t n) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(n >> (8 * (7 - i)));
  return bytes;
}

uint64_t DecodeNumber(std::string_view bytes) {
  CHECK(bytes.size() == 8, "a number is 8 bytes", bytes.size());
  uint64_t n = 0;
  for (const char c : bytes) n = n << 8 | static_cast<uint8_t>(c);
  return n;
}

uint64_t ReadNumber(const StoreView& store, std::string_view key) {
  const std::optional<std::string> bytes = store.Get(key);
  return bytes.has_value() ? DecodeNumber(*bytes) : 0;
}

}  // namespace homeport::core
