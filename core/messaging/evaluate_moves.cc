#include <fmt/format.h>

#include "core/messaging/evaluator_impl.h"

namespace homeport::core {

// Moving a user or group from home to home (docs/mastership.md).

namespace {

// Where this store has every stream of the shard.
std::vector<Position> AppliedOfShard(const StoreView& store, ShardId shard) {
  std::vector<Position> positions;
  const std::string prefix = TablePrefix(shard, Table::kApplied);
  store.Scan(prefix, PrefixEnd(prefix), [&](std::string_view key, std::string_view value) {
    positions.push_back({StreamOfAppliedKey(key), Seq(DecodeNumber(value))});
    return true;
  });
  return positions;
}

std::string_view NounOf(AccountKind kind) {
  return kind == AccountKind::kUser ? "user" : "group";
}

}  // namespace

// The Transfer. What was asked of it before stands before it in the stream, and from here on it is
// not served. Its row carries what the store had applied; the stream of this entry needs no
// mention, for who has the row has applied the entry.
CommandResult Evaluator::Impl::operator()(const MoveHome& command) {
  const Uin uin = command.subject;
  const Residence residence = view.ResidenceOf(uin);
  CommandResult result;
  if (residence.at.known && residence.at.home == command.to) return result;
  if (Status bad = CheckServed(uin, residence.kind, NounOf(residence.kind)); !bad.ok()) {
    return Refused(std::move(bad));
  }
  if (command.to == Incarnation()) {
    return Refused(Status::BadRequest("a move goes to an incarnation, and 0 is none"));
  }
  const std::string key = AccountKey(shard(), uin);
  std::optional<AccountInfo> account = DecodeAccount(view.FindLive(key).value_or(std::string()));
  CHECK(account.has_value(), "who is served here has an account", uin);
  CHECK(account->epoch.move < UINT32_MAX, "nobody moves that often", uin);
  const Version version = NextAccountVersion(uin);
  // Its new home parks, and counts, for itself.
  Count(uin).unparking = false;
  account->home = command.to;
  ++account->epoch.move;
  account->adopted = false;
  account->deps = AppliedOfShard(view.store(), shard());
  Put(key, {account->epoch, version}, EncodeAccount(*account));
  view.AccountDrafted(uin);
  result.changed = true;
  return result;
}

std::optional<Position> Evaluator::Impl::NotReplayed(const AccountInfo& account) const {
  if (options.messaging.move_bug == PlantedMoveBug::kAdoptsUnreplayed) return std::nullopt;
  for (const Position& dep : account.deps) {
    if (AppliedSeq(view.store(), dep.stream) < dep.seq) return dep;
  }
  return std::nullopt;
}

Evaluator::Adoption Evaluator::Adopt(Uin uin) {
  CHECK(impl_->draft.has_value(), "Adopt needs an open entry");
  return impl_->Adopt(uin);
}

Evaluator::Adoption Evaluator::Impl::Adopt(Uin uin) {
  const std::string key = AccountKey(shard(), uin);
  // As stored: what is drafted may be an older Transfer of ours, behind which the user came back.
  std::optional<AccountInfo> account =
      DecodeAccount(ReadLive(view.store(), key).value_or(std::string()));
  const bool arrives = account.has_value() && account->home == options.self && !account->adopted;
  if (!arrives) return {};
  const auto drafted = DecodeAccount(view.FindLive(key).value_or(std::string()));
  if (drafted.has_value() &&
      (drafted->epoch > account->epoch || (drafted->epoch == account->epoch && drafted->adopted))) {
    return {};  // adopted already
  }
  if (const auto missing = NotReplayed(*account)) return {false, missing};
  // What is known of an earlier stay. Its entries are applied: the Transfer away was, and was read
  // by another home, before this one.
  view.Forget(uin);
  account->adopted = true;
  // After a restart it is not served before this store is here again.
  account->deps = AppliedOfShard(view.store(), shard());
  const Version version = NextAccountVersion(uin);
  Put(key, {account->epoch, version}, EncodeAccount(*account));
  view.AccountDrafted(uin);
  Unpark(uin);
  return {true, {}};
}

void Evaluator::Learned(Uin uin) {
  impl_->view.Moved(uin);
}

void Evaluator::Unpark(Uin uin) {
  CHECK(impl_->draft.has_value(), "Unpark needs an open entry");
  impl_->Unpark(uin);
}

}  // namespace homeport::core
