#include "core/messaging/describe.h"

#include <optional>

#include "core/codec.h"
#include "core/messaging/keys.h"
#include "core/messaging/messaging.capnp.h"
#include "core/messaging/row_codec.h"

namespace homeport::core {
namespace {

template <class List>
std::vector<Uin> Uins(const List& list) {
  std::vector<Uin> uins;
  for (const uint64_t uin : list) uins.emplace_back(uin);
  return uins;
}

EffectDescription Describe(wire::Put::Reader put, ShardId shard) {
  EffectDescription effect;
  effect.key = View(put.getKey());
  if (const std::optional<Table> table = ReplicatedTableOf(effect.key, shard)) {
    effect.table = TableName(*table);
  }
  effect.stamp = ReadStamp(put.getStamp());
  effect.deleted = put.getDeleted();
  effect.value_bytes = put.getValue().size();
  return effect;
}

EffectDescription Describe(wire::Fanout::Reader fanout) {
  EffectDescription effect;
  effect.table = "fanout";
  effect.stamp.epoch = {fanout.getTakeover(), fanout.getMove()};
  effect.value_bytes = fanout.getItem().size();
  effect.users = Uins(fanout.getUsers());
  return effect;
}

EffectDescription Describe(wire::TrimInbox::Reader trim) {
  EffectDescription effect;
  effect.table = "trim";
  effect.stamp = ReadStamp(trim.getThrough());
  effect.users = {Uin(trim.getUser())};
  return effect;
}

void DescribeMessage(wire::Message::Reader message, IntentDescription* intent) {
  intent->message = MessageId(message.getId());
  intent->sender = Uin(message.getSender());
  intent->body_bytes = message.getBody().size();
}

IntentDescription Describe(wire::Intent::Reader from) {
  IntentDescription intent;
  if (from.isDeliver()) {
    intent.kind = "deliver";
    DescribeMessage(from.getDeliver(), &intent);
  } else if (from.isPost()) {
    intent.kind = "post";
    DescribeMessage(from.getPost(), &intent);
  } else if (from.isFanout()) {
    intent.kind = "fanout";
    intent.group = Uin(from.getFanout().getGroup());
    intent.group_seq = from.getFanout().getGroupSeq();
  }
  if (from.isContact()) {
    intent.kind = "contact";
    intent.sender = Uin(from.getContact().getFrom());
  } else if (from.isRecall()) {
    intent.kind = "recall";
    DescribeMessage(from.getRecall(), &intent);
  } else if (from.isUnpark()) {
    intent.kind = "unpark";
  } else if (from.isReceipt()) {
    intent.kind = "receipt";
    intent.sender = Uin(from.getReceipt().getFrom());
  } else if (from.isTell()) {
    intent.kind = "tell";
  }
  for (const auto target : from.getTargets()) {
    intent.targets.push_back({Incarnation(target.getIncarnation()),
                              ShardId(target.getShard()),
                              {target.getTakeover(), target.getMove()},
                              Uins(target.getUsers())});
  }
  return intent;
}

}  // namespace

Result<EntryDescription> DescribeEntry(StreamId stream, std::string_view payload) {
  EntryDescription description;
  if (payload.empty()) {
    description.open = true;
    return description;
  }
  RETURN_IF_ERROR(Decode<wire::Entry>(payload, [&](wire::Entry::Reader entry) -> Status {
    description.written_at = WallMs(entry.getWrittenAtMs());
    for (const auto effect : entry.getEffects()) {
      if (effect.isPut()) {
        description.effects.push_back(Describe(effect.getPut(), stream.shard()));
      } else if (effect.isFanout()) {
        description.effects.push_back(Describe(effect.getFanout()));
      } else if (effect.isTrimInbox()) {
        description.effects.push_back(Describe(effect.getTrimInbox()));
      } else {
        description.effects.emplace_back();
      }
    }
    for (const auto intent : entry.getIntents()) description.intents.push_back(Describe(intent));
    for (const auto cursor : entry.getConsumed()) {
      description.cursors.push_back({Incarnation(cursor.getRole()),
                                     StreamId::FromValue(cursor.getStream()), Seq(cursor.getSeq()),
                                     cursor.getIndex()});
    }
    description.ids_through = entry.getIdsThrough();
    return {};
  }));
  return description;
}

}  // namespace homeport::core
