#include <fmt/format.h>

#include "core/messaging/evaluator_impl.h"

namespace homeport::core {
namespace {

// What may wait for an account when it is created: it all takes effect in the entry that creates
// it.
constexpr uint64_t kParkedBytesMax = 512 << 10;

}  // namespace

// Commands on ids, names and accounts.

CommandResult Evaluator::Impl::operator()(const NewUin&) {
  CommandResult result;
  result.uin = Uin(NewId());
  result.changed = true;
  return result;
}

CommandResult Evaluator::Impl::operator()(const ClaimName& command) {
  if (Status bad = CheckName(command.name); !bad.ok()) return Refused(std::move(bad));
  if (command.uin == Uin()) return Refused(Status::BadRequest("a name is claimed for a uin"));
  if (ShardOfName(command.name, options.shards) != shard()) {
    return Refused(Status::BadRequest("this name is kept by another shard"));
  }
  std::string key = NameKey(shard(), command.kind, command.name);
  CommandResult result;
  if (const auto bytes = view.FindLive(key); bytes.has_value()) {
    result.uin = DecodeName(*bytes).value_or(Uin());
    return result;
  }
  Put(std::move(key), {{}, kFirst}, EncodeName(command.kind, command.uin));
  result.uin = command.uin;
  result.changed = true;
  return result;
}

CommandResult Evaluator::Impl::operator()(const CreateAccount& command) {
  if (Status bad = CheckName(command.name); !bad.ok()) return Refused(std::move(bad));
  if (BirthIncarnation(command.uin) != options.self || !IsMine(command.uin)) {
    return Refused(Status::BadRequest(
        fmt::format("account {} is created in incarnation {}, in its own shard",
                    command.uin.value(), BirthIncarnation(command.uin).value())));
  }
  const std::string key = AccountKey(shard(), command.uin);
  CommandResult result;
  result.uin = command.uin;
  if (const auto bytes = view.FindLive(key); bytes.has_value()) {
    const auto existing = DecodeAccount(*bytes);
    if (existing.has_value() && existing->kind == command.kind && existing->name == command.name) {
      return result;
    }
    return Refused(Status::Taken(
        command.uin, fmt::format("uin {} is an account of another name or kind already; take a "
                                 "fresh uin",
                                 command.uin.value())));
  }
  if (ParkedBytes(command.uin) > kParkedBytesMax) {
    return Refused(Status::TooLarge(
        kParkedBytesMax,
        fmt::format("more than {} bytes of messages wait for uin {}, which was never "
                    "created; take a fresh uin and another name",
                    kParkedBytesMax, command.uin.value())));
  }
  const AccountInfo account{command.uin, command.kind, command.name, options.self, {}, now_ms()};
  Put(key, {account.epoch, NextAccountVersion(command.uin)}, EncodeAccount(account));
  view.AccountDrafted(command.uin);
  Unpark(command.uin);
  result.changed = true;
  return result;
}

// Ok when `uin` is an account of `kind` that this shard of this region masters.
Status Evaluator::Impl::CheckServed(Uin uin, AccountKind kind, std::string_view what) {
  if (!IsMine(uin)) {
    return Status::BadRequest(fmt::format("{} {} belongs to another shard", what, uin.value()));
  }
  const Residence residence = view.ResidenceOf(uin);
  if (residence.at.home == Incarnation()) {
    return Status::BadRequest(fmt::format("{} is no uin", uin.value()));
  }
  if (residence.at.home != options.self) {
    return Status::Moved(residence.at.home, residence.at.epoch,
                         fmt::format("{} {} is homed in incarnation {}; ask there", what,
                                     uin.value(), residence.at.home.value()));
  }
  if (!residence.at.known) {
    return Status::BadRequest(fmt::format("there is no {} {}; create it first", what, uin.value()));
  }
  if (residence.kind != kind) {
    return Status::BadRequest(fmt::format("account {} is no {}", uin.value(), what));
  }
  return {};
}

}  // namespace homeport::core
