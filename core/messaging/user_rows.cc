#include "core/messaging/user_rows.h"

#include <algorithm>

#include "core/messaging/keys.h"
#include "core/messaging/row_codec.h"

namespace homeport::core {

const DevicePosition* Counters::Find(DeviceNumber device) const {
  const auto at = std::find_if(devices.begin(), devices.end(),
                               [&](const DevicePosition& one) { return one.number == device; });
  return at == devices.end() ? nullptr : &*at;
}

DevicePosition* Counters::Find(DeviceNumber device) {
  return const_cast<DevicePosition*>(std::as_const(*this).Find(device));
}

std::string EncodeCounters(const Counters& counters) {
  return Encode<wire::Counters>([&](wire::Counters::Builder out) {
    out.setVersion(kRowVersion);
    out.setAccount(counters.account);
    out.setContacts(counters.contacts);
    out.setMessages(counters.messages);
    out.setWrites(counters.writes);
    if (counters.floor != Stamp()) FillStamp(counters.floor, out.initFloor());
    out.setLastDevice(counters.last_device.value());
    out.setContactRows(counters.contact_rows);
    out.setUnparking(counters.unparking);
    out.setConversationRows(counters.conversation_rows);
    if (counters.told != Stamp()) FillStamp(counters.told, out.initTold());
    out.setTelling(counters.telling);
    out.setRecordTables(counters.record_tables);
    if (counters.devices.empty()) return;
    auto devices = out.initDevices(static_cast<unsigned>(counters.devices.size()));
    for (unsigned i = 0; i < devices.size(); ++i) {
      const DevicePosition& from = counters.devices[i];
      devices[i].setNumber(from.number.value());
      devices[i].setSeenAtMs(from.seen_at_ms);
      FillStamp(from.acknowledged, devices[i].initAcknowledged());
    }
  });
}

std::optional<Counters> DecodeCounters(std::string_view bytes) {
  return DecodeValue<wire::Counters, Counters>(bytes, [](auto in, Counters* out) -> Status {
    out->account = in.getAccount();
    out->contacts = in.getContacts();
    out->messages = in.getMessages();
    out->writes = in.getWrites();
    out->floor = ReadStamp(in.getFloor());
    out->last_device = DeviceNumber(in.getLastDevice());
    out->contact_rows = in.getContactRows();
    out->unparking = in.getUnparking();
    out->conversation_rows = in.getConversationRows();
    out->told = ReadStamp(in.getTold());
    out->telling = in.getTelling();
    out->record_tables = in.getRecordTables();
    for (const auto device : in.getDevices()) {
      out->devices.push_back({DeviceNumber(device.getNumber()), device.getSeenAtMs(),
                              ReadStamp(device.getAcknowledged())});
    }
    return {};
  });
}

StoredCounters ReadCounters(const StoreView& store, ShardId shard, Uin owner) {
  const std::optional<Row> row = ReadRow(store, CountersKey(shard, owner));
  if (!row.has_value() || row->deleted) return {};
  return {DecodeCounters(row->value).value_or(Counters{}), row->stamp.epoch};
}

std::string EncodeDevice(const Device& device) {
  return Encode<wire::Device>([&](wire::Device::Builder out) {
    out.setVersion(kRowVersion);
    out.setInstall(device.install);
    out.setName(Data(device.name));
    out.setRegisteredAtMs(device.registered_at_ms);
  });
}

std::optional<Device> DecodeDevice(std::string_view bytes) {
  return DecodeValue<wire::Device, Device>(bytes, [](auto in, Device* out) -> Status {
    *out = {in.getInstall(), std::string(View(in.getName())), in.getRegisteredAtMs()};
    return {};
  });
}

std::string EncodeContact(const Contact& contact) {
  return Encode<wire::Contact>([&](wire::Contact::Builder out) {
    out.setVersion(kRowVersion);
    FillHalf(contact.mine, out.initMine());
    FillHalf(contact.peers, out.initPeers());
    out.setText(Data(contact.text));
    out.setBlocked(contact.blocked);
    out.setRemark(Data(contact.remark));
    out.setChangedAtMs(contact.changed_at_ms);
  });
}

std::optional<Contact> DecodeContact(std::string_view bytes) {
  return DecodeValue<wire::Contact, Contact>(bytes, [](auto in, Contact* out) -> Status {
    *out = {
        ReadHalf(in.getMine()), ReadHalf(in.getPeers()),           std::string(View(in.getText())),
        in.getBlocked(),        std::string(View(in.getRemark())), in.getChangedAtMs()};
    return {};
  });
}

std::string EncodeConversation(const Conversation& conversation) {
  return Encode<wire::Conversation>([&](wire::Conversation::Builder out) {
    out.setVersion(kRowVersion);
    FillMark(conversation.read, out.initRead());
    FillMark(conversation.peers_read, out.initPeersRead());
    FillMark(conversation.peers_delivered, out.initPeersDelivered());
  });
}

std::optional<Conversation> DecodeConversation(std::string_view bytes) {
  return DecodeValue<wire::Conversation,
                     Conversation>(bytes, [](auto in, Conversation* out) -> Status {
    *out = {ReadMark(in.getRead()), ReadMark(in.getPeersRead()), ReadMark(in.getPeersDelivered())};
    return {};
  });
}

}  // namespace homeport::core
