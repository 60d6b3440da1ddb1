#include "core/messaging/commands.h"

#include <fmt/format.h>

#include "core/config.h"

namespace homeport::core {
namespace {

struct SubjectOfVisitor {
  template <class Change>
  Uin operator()(const Change& c) const {
    if constexpr (requires { c.group; }) {
      return c.group;
      // cppcheck-suppress identicalConditionAfterEarlyExit
    } else if constexpr (requires { c.subject; }) {
      return c.subject;
    } else {
      return c.user;
    }
  }
};

struct ShardOfVisitor {
  uint16_t shards;
  ShardId operator()(const NewUin&) const { return ShardId(0); }
  ShardId operator()(const OrderRegion&) const { return ShardId(0); }
  ShardId operator()(const WriteJournal&) const { return ShardId(0); }
  ShardId operator()(const ClaimName& c) const { return ShardOfName(c.name, shards); }
  ShardId operator()(const CreateAccount& c) const { return ShardOf(c.uin, shards); }
  ShardId operator()(const SendMessage& c) const { return ShardOf(c.from, shards); }
  ShardId operator()(const JoinGroup& c) const { return ShardOf(c.group, shards); }
  ShardId operator()(const LeaveGroup& c) const { return ShardOf(c.group, shards); }
  template <class Change>
  ShardId operator()(const Change& c) const {
    return ShardOf(SubjectOfVisitor()(c), shards);
  }
};

}  // namespace

Status CheckName(std::string_view name) {
  if (name.empty()) return Status::BadRequest("a name has at least one byte");
  if (name.size() > kNameBytesMax) {
    return Status::TooLarge(
        kNameBytesMax,
        fmt::format("a name has at most {} bytes, this one has {}", kNameBytesMax, name.size()));
  }
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      return Status::BadRequest("a name has no control characters");
    }
  }
  return {};
}

Uin SubjectOf(const ChangeCommand& command) {
  return std::visit(SubjectOfVisitor(), command);
}

ShardId ShardOfCommand(const Command& command, uint16_t shards) {
  return std::visit(ShardOfVisitor{shards}, command);
}

}  // namespace homeport::core
