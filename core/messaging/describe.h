// EntryDescription: an entry of a stream as plain data, for people who look into a log
// (`homeport queue inspect`). Nothing is applied and no store is needed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/status.h"
#include "core/time.h"

namespace homeport::core {

struct EffectDescription {
  std::string table;  // "account" ...; "fanout" for one inbox item put for many, "trim"; "" unknown
  std::string key;    // of a put, whole
  Stamp stamp;        // of a fanout its epoch only, of a trim through where
  bool deleted = false;
  uint64_t value_bytes = 0;
  std::vector<Uin> users;  // of a fanout or trim
};
struct TargetDescription {
  Incarnation incarnation;
  ShardId shard;
  MastershipEpoch epoch;
  std::vector<Uin> users;
};
struct IntentDescription {
  // "deliver", "post", "fanout", "contact", "recall", "unpark", "receipt", "tell"; "" unknown
  std::string kind;
  std::vector<TargetDescription> targets;
  // Of a deliver, post or recall; of a contact or receipt its sender.
  MessageId message;
  Uin sender;
  uint64_t body_bytes = 0;
  // Of a fanout.
  Uin group;
  uint64_t group_seq = 0;
};
struct CursorDescription {
  Incarnation role;
  StreamId source;
  Seq seq;
  uint32_t index = 0;  // kWholeEntry: all of it
};
struct EntryDescription {
  bool open = false;  // the empty entry that opens a writer's epoch: nothing else
  WallMs written_at{0};
  std::vector<EffectDescription> effects;
  std::vector<IntentDescription> intents;
  std::vector<CursorDescription> cursors;
  uint64_t ids_through = 0;  // 0: unchanged
};

// kBadRequest when `payload` is no entry. What a newer version has added is left out.
Result<EntryDescription> DescribeEntry(StreamId stream, std::string_view payload);

}  // namespace homeport::core
