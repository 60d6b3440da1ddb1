// What the files that decode rows share. Part of rows.h and user_rows.h.
#pragma once

#include <optional>
#include <string_view>

#include "core/codec.h"
#include "core/messaging/contact.h"
#include "core/messaging/rows.h"
#include "core/messaging/user_rows.h"

namespace homeport::core {

// Decodes one value of a known version; nullopt when the bytes are none.
template <class Root, class Value, class Read>
std::optional<Value> DecodeValue(std::string_view bytes, Read&& read) {
  Value value;
  const Status status = Decode<Root>(bytes, [&](auto reader) -> Status {
    if (reader.getVersion() != kRowVersion) return Status::BadRequest("unknown row version");
    return read(reader, &value);
  });
  if (!status.ok()) return std::nullopt;
  return value;
}

inline Stamp ReadStamp(wire::Stamp::Reader from) {
  return {{from.getTakeover(), from.getMove()}, Version(from.getVersion())};
}
inline void FillStamp(const Stamp& stamp, wire::Stamp::Builder to) {
  to.setTakeover(stamp.epoch.takeover);
  to.setMove(stamp.epoch.move);
  to.setVersion(stamp.version.value());
}

inline Mark ReadMark(wire::Mark::Reader from) {
  return {{{from.getTakeover(), from.getMove()}, Version(from.getVersion())},
          MessageId(from.getMessage()),
          from.getGroupSeq()};
}
inline void FillMark(const Mark& mark, wire::Mark::Builder to) {
  to.setTakeover(mark.at.epoch.takeover);
  to.setMove(mark.at.epoch.move);
  to.setVersion(mark.at.version.value());
  to.setMessage(mark.message.value());
  to.setGroupSeq(mark.group_seq);
}

inline ContactHalf ReadHalf(wire::ContactHalf::Reader from) {
  return {ReadStamp(from.getAt()), from.getWants(), ReadStamp(from.getTakesBack())};
}
inline void FillHalf(const ContactHalf& half, wire::ContactHalf::Builder to) {
  FillStamp(half.at, to.initAt());
  to.setWants(half.wants);
  FillStamp(half.takes_back, to.initTakesBack());
}

}  // namespace homeport::core
