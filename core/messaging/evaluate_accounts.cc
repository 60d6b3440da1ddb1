#include <fmt/format.h>

#include "core/messaging/evaluator_impl.h"

namespace homeport::core {

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
  return Create({command.uin, command.kind, command.name, options.self, {}, 0});
}

// The account as it is to be, but for the time.
CommandResult Evaluator::Impl::Create(AccountInfo account) {
  const Uin uin = account.uin;
  if (Status bad = CheckName(account.name); !bad.ok()) return Refused(std::move(bad));
  if (BirthIncarnation(uin) != options.self || !IsMine(uin)) {
    return Refused(
        Status::BadRequest(fmt::format("account {} is created in incarnation {}, in its own shard",
                                       uin.value(), BirthIncarnation(uin).value())));
  }
  const std::string key = AccountKey(shard(), uin);
  CommandResult result;
  result.uin = uin;
  if (const auto bytes = view.FindLive(key); bytes.has_value()) {
    const auto existing = DecodeAccount(*bytes);
    if (existing.has_value() && existing->kind == account.kind && existing->name == account.name) {
      return result;
    }
    return Refused(Status::Taken(
        uin, fmt::format("uin {} is an account of another name or kind already; take a fresh uin",
                         uin.value())));
  }
  account.created_at_ms = now_ms();
  Put(key, {account.epoch, NextAccountVersion(uin)}, EncodeAccount(account));
  view.AccountDrafted(uin);
  if (account.owner != Uin()) {
    bool added = false;
    const Status status = AddTo(uin, account.owner, &added);
    CHECK(status.ok() && added, "a new group has room for its owner", status);
    PostEvent(uin, account.owner, {GroupEventKind::kCreated, {}, account.title});
  }
  Unpark(uin);
  result.changed = true;
  return result;
}

CommandResult Evaluator::Impl::operator()(const SetProfile& command) {
  if (Status bad = CheckServed(command.user, AccountKind::kUser, "user"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  const std::string key = AccountKey(shard(), command.user);
  std::optional<AccountInfo> account = DecodeAccount(view.FindLive(key).value_or(std::string()));
  CHECK(account.has_value(), "a user that is served here has its account", command.user);
  std::map<std::string, std::string> fields;
  for (const ProfileField& field : account->fields) fields[field.name] = field.value;
  for (const ProfileField& field : command.fields) {
    if (Status bad = CheckName(field.name); !bad.ok()) return Refused(std::move(bad));
    if (field.value.empty()) {
      fields.erase(field.name);
    } else {
      fields[field.name] = field.value;
    }
  }
  uint64_t bytes = 0;
  std::vector<ProfileField> wanted;
  for (const auto& [name, value] : fields) {
    bytes += name.size() + value.size();
    wanted.push_back({name, value});
  }
  if (wanted.size() > kProfileFieldsMax || bytes > kProfileBytesMax) {
    return Refused(Status::TooLarge(kProfileBytesMax,
                                    fmt::format("a profile has at most {} fields and {} bytes",
                                                kProfileFieldsMax, kProfileBytesMax)));
  }
  CommandResult result;
  result.changed = wanted != account->fields;
  if (!result.changed) return result;
  account->fields = std::move(wanted);
  Put(key, {account->epoch, NextAccountVersion(command.user)}, EncodeAccount(*account));
  view.AccountDrafted(command.user);
  return result;
}

Status CheckLabel(std::string_view label, std::string_view what) {
  if (label.size() <= kLabelBytesMax) return {};
  return Status::TooLarge(kLabelBytesMax, fmt::format("{} has at most {} bytes, this one has {}",
                                                      what, kLabelBytesMax, label.size()));
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
  // As long as the Transfer is only drafted, and the store says otherwise.
  if (options.messaging.move_bug == PlantedMoveBug::kQueueNotFinished && residence.at.known &&
      residence.at.home != options.self) {
    const auto stored = ReadLive(view.store(), AccountKey(shard(), uin));
    const auto account = stored.has_value() ? DecodeAccount(*stored) : std::nullopt;
    if (account.has_value() && account->home == options.self && account->adopted) return {};
  }
  if (residence.at.home != options.self) {
    return Status::Moved(residence.at.home, residence.at.epoch,
                         fmt::format("{} {} is homed in incarnation {}; ask there", what,
                                     uin.value(), residence.at.home.value()));
  }
  if (!residence.at.adopted) {
    return Status::Unavailable(fmt::format("{} {} is moving here; try again", what, uin.value()));
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
