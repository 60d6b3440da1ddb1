#include "core/messaging/intents.h"

namespace homeport::core {
namespace {

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

}  // namespace

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
    FillIntent(intent, out);
  });
}

std::string EncodePendingIntent(wire::Target::Reader target, wire::Intent::Reader intent) {
  // Field by field, not by copying whole structs: those would bring along pointers of the wrong
  // kind, which are found only when read.
  Intent plain;
  ReadIntent(intent, &plain);
  return EncodePendingIntent(ReadTarget(target), plain);
}

std::optional<AddressedIntent> DecodePendingIntent(std::string_view bytes) {
  return DecodeValue<wire::PendingIntent, AddressedIntent>(
      bytes, [](auto in, AddressedIntent* out) -> Status {
        out->target = ReadTarget(in.getTarget());
        if (ReadIntent(in, &out->intent)) return {};
        return Status::BadRequest("unknown kind of intent");
      });
}

}  // namespace homeport::core
