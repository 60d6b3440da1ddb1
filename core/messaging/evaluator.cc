#include "core/messaging/evaluator.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>
#include <variant>

#include "core/check.h"
#include "core/config.h"
#include "core/messaging/draft.h"
#include "core/messaging/drafted_view.h"
#include "core/messaging/keys.h"
#include "core/messaging/rows.h"

namespace homeport::core {
namespace {

// Rows that are put once and never change: names, remembered and parked ones.
constexpr Version kFirst{1};
// A parked row's tombstone.
constexpr Version kUnparked{2};
// A kept row's tombstone.
constexpr Version kDropped{2};
// What may wait for an account when it is created: it all takes effect in the entry that creates
// it.
constexpr uint64_t kParkedBytesMax = 512 << 10;
// What a counters row adds to an entry, at most.
constexpr uint64_t kCountersPutBytes = 160;
// In a remembered row's key: what the owner itself sent. Else a message to oneself would look
// delivered.
constexpr Uin kSentByOwner{0};

// Where an intent came from; parked rows are kept under it.
struct Origin {
  StreamId source;
  Seq seq;
  uint32_t index = 0;
};

enum class Verdict { kHere, kForward, kPark };

CommandResult Refused(Status status) {
  CommandResult result;
  result.status = std::move(status);
  return result;
}

}  // namespace

struct Evaluator::Impl {
  EvaluatorOptions options;
  DraftedView view;
  std::optional<Draft> draft;
  // Owners whose counters the open entry raised: one row each at its end.
  std::map<Uin, MastershipEpoch> counted;

  Impl(EvaluatorOptions o, const StoreView* store) : options(o), view(o, store) {}

  ShardId shard() const { return options.shard; }
  bool IsMine(Uin uin) const { return ShardOf(uin, options.shards) == options.shard; }

  // ---- drafting

  void Put(std::string key, const Stamp& stamp, std::string value) {
    view.Drafted(key, {stamp, false, value});
    draft->Put(std::move(key), stamp, std::move(value));
  }
  void Delete(std::string key, const Stamp& stamp) {
    view.Drafted(key, {stamp, true, {}});
    draft->Delete(std::move(key), stamp);
  }
  uint64_t NewId() {
    const uint64_t n = ++view.ids_through();
    const uint64_t counter = n * options.shards + shard().value();
    CHECK(counter < uint64_t{1} << kIdCounterBits, "ids of one incarnation never run out", n);
    draft->RaiseIdsThrough(n);
    return MakeId(options.self, counter);
  }
  // Version of the owner's next change of its account table.
  Version NextAccountVersion(Uin owner, MastershipEpoch epoch) {
    counted[owner] = epoch;
    return Version(++view.CountersOf(owner).account);
  }
  std::string RememberedKeyOf(Uin owner, Uin sender, ClientMessageId id) const {
    return RememberedKey(shard(), owner, sender, id);
  }
  std::optional<Remembered> FindRemembered(const std::string& key) const {
    const std::optional<std::string> bytes = view.FindLive(key);
    return bytes.has_value() ? DecodeRemembered(*bytes) : std::nullopt;
  }
  int64_t now_ms() const { return draft->now().count(); }

  // ---- commands

  CommandResult operator()(const NewUin& command);
  CommandResult operator()(const ClaimName& command);
  CommandResult operator()(const CreateAccount& command);
  CommandResult operator()(const SendMessage& command);
  CommandResult operator()(const JoinGroup& command);
  CommandResult operator()(const LeaveGroup& command);

  Status CheckServed(Uin uin, AccountKind kind, std::string_view what);
  Status CheckReceiver(const SendMessage& command);
  uint64_t ParkedBytes(Uin uin);
  void Unpark(Uin uin);

  // ---- intents

  Verdict Judge(const Residence& residence, MastershipEpoch behind, bool must_exist) const;
  void Take(const AddressedIntent& in, const Origin& origin);
  void TakeMessage(Uin to, MastershipEpoch behind, const Intent& intent, const Origin& origin);
  void TakeFanout(const AddressedIntent& in, const Origin& origin);
  void DeliverToUser(Uin user, const Residence& residence, const Message& message);
  void PostToGroup(Uin group, const Residence& residence, const Message& message);
  void Park(Uin target, MastershipEpoch behind, const Intent& intent, const Origin& origin);
};

// ---- commands

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
  Put(key, {account.epoch, NextAccountVersion(command.uin, account.epoch)}, EncodeAccount(account));
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

// Refuses what is known here to be impossible; what is not known is decided where `to` lives.
Status Evaluator::Impl::CheckReceiver(const SendMessage& command) {
  const Residence to = view.ResidenceOf(command.to);
  if (to.at.home == Incarnation()) {
    return Status::BadRequest(fmt::format("{} is no uin", command.to.value()));
  }
  if (to.at.known && (to.kind == AccountKind::kGroup) != command.to_group) {
    return Status::BadRequest(
        fmt::format("account {} is a {}", command.to.value(), command.to_group ? "user" : "group"));
  }
  return {};
}

CommandResult Evaluator::Impl::operator()(const SendMessage& command) {
  if (command.body.size() > kBodyBytesMax) {
    return Refused(Status::TooLarge(
        kBodyBytesMax, fmt::format("a message body has at most {} bytes, this one has {}",
                                   kBodyBytesMax, command.body.size())));
  }
  if (Status bad = CheckServed(command.from, AccountKind::kUser, "user"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  CommandResult result;
  std::string key = RememberedKeyOf(command.from, kSentByOwner, command.client_message);
  if (const auto first = FindRemembered(key); first.has_value()) {
    result.message = first->message;
    return result;
  }
  if (Status bad = CheckReceiver(command); !bad.ok()) return Refused(std::move(bad));

  const MastershipEpoch epoch = view.ResidenceOf(command.from).at.epoch;
  result.message = MessageId(NewId());
  result.changed = true;
  Put(std::move(key), {epoch, kFirst}, EncodeRemembered({result.message, now_ms(), 0}));
  const HomeOf to = view.ResidenceOf(command.to).at;
  Intent intent;
  intent.kind = command.to_group ? IntentKind::kPost : IntentKind::kDeliver;
  intent.message = {result.message, command.from, command.client_message, now_ms(), command.body};
  draft->AddIntent(std::move(intent),
                   {{to.home, ShardOf(command.to, options.shards), to.epoch, {command.to}}});
  return result;
}

CommandResult Evaluator::Impl::operator()(const JoinGroup& command) {
  if (Status bad = CheckServed(command.group, AccountKind::kGroup, "group"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  const Residence user = view.ResidenceOf(command.user);
  if (user.at.home == Incarnation() || user.kind != AccountKind::kUser) {
    return Refused(Status::BadRequest(fmt::format("{} is no user", command.user.value())));
  }
  GroupMembers& members = view.MembersOf(command.group);
  CommandResult result;
  if (members.Contains(command.user)) return result;
  if (members.size() >= kGroupMembersMax) {
    return Refused(Status::TooLarge(kGroupMembersMax, "the group is full"));
  }
  members.Add(command.user, {user.at.home, ShardOf(command.user, options.shards), user.at.epoch});
  const MastershipEpoch epoch = view.ResidenceOf(command.group).at.epoch;
  Put(MemberKey(shard(), command.group, command.user),
      {epoch, NextAccountVersion(command.group, epoch)}, EncodeMember(now_ms()));
  result.changed = true;
  return result;
}

CommandResult Evaluator::Impl::operator()(const LeaveGroup& command) {
  if (Status bad = CheckServed(command.group, AccountKind::kGroup, "group"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  GroupMembers& members = view.MembersOf(command.group);
  CommandResult result;
  if (!members.Contains(command.user)) return result;
  members.Remove(command.user);
  const MastershipEpoch epoch = view.ResidenceOf(command.group).at.epoch;
  Delete(MemberKey(shard(), command.group, command.user),
         {epoch, NextAccountVersion(command.group, epoch)});
  result.changed = true;
  return result;
}

uint64_t Evaluator::Impl::ParkedBytes(Uin uin) {
  uint64_t bytes = 0;
  for (const std::string& key : view.ParkedKeys(uin)) {
    if (const auto value = view.FindLive(key); value.has_value()) bytes += value->size();
  }
  return bytes;
}

// What waited for this account to exist takes effect, in order, in the entry that creates it.
void Evaluator::Impl::Unpark(Uin uin) {
  for (std::string& key : view.ParkedKeys(uin)) {
    const auto bytes = view.FindLive(key);
    const auto parked = bytes.has_value() ? DecodePendingIntent(*bytes) : std::nullopt;
    const IntentPlace place = PlaceOfParkedKey(key);
    if (parked.has_value()) Take(*parked, {place.source, place.seq, place.index});
    Delete(std::move(key), {{}, kUnparked});
  }
}

// ---- intents (design section 5, rules 5, 6 and 8)

Verdict Evaluator::Impl::Judge(const Residence& residence, MastershipEpoch behind,
                               bool must_exist) const {
  const HomeOf& at = residence.at;
  if (at.home == options.self) return at.known || !must_exist ? Verdict::kHere : Verdict::kPark;
  // Each forward raises the epoch, so forwarding ends.
  return at.epoch > behind ? Verdict::kForward : Verdict::kPark;
}

void Evaluator::Impl::Take(const AddressedIntent& in, const Origin& origin) {
  if (in.intent.kind == IntentKind::kFanout) return TakeFanout(in, origin);
  for (const Uin to : in.target.users) {
    // The router of the sender hashes as we do; anything else no client could have asked for.
    if (IsMine(to)) TakeMessage(to, in.target.epoch, in.intent, origin);
  }
}

void Evaluator::Impl::TakeMessage(Uin to, MastershipEpoch behind, const Intent& intent,
                                  const Origin& origin) {
  const Residence residence = view.ResidenceOf(to);
  switch (Judge(residence, behind, true)) {
    case Verdict::kPark:
      return Park(to, behind, intent, origin);
    case Verdict::kForward:
      return draft->AddIntent(intent, {{residence.at.home, shard(), residence.at.epoch, {to}}});
    case Verdict::kHere:
      break;
  }
  // What the sender took `to` for does not matter: what it is decides, so that nothing is lost.
  if (residence.kind == AccountKind::kGroup) return PostToGroup(to, residence, intent.message);
  DeliverToUser(to, residence, intent.message);
}

void Evaluator::Impl::DeliverToUser(Uin user, const Residence& residence, const Message& message) {
  std::string key = RememberedKeyOf(user, message.sender, message.client_message);
  if (view.FindLive(key).has_value()) return;
  const MastershipEpoch epoch = residence.at.epoch;
  const Stamp stamp{epoch, Version(++view.InboxVersionOf(user))};
  // Never read by evaluation, so it goes past the view.
  draft->Put(InboxKey(shard(), user, stamp), stamp, EncodeInboxItem({message, {}, 0}));
  Put(std::move(key), {epoch, kFirst}, EncodeRemembered({message.id, now_ms(), 0}));
}

void Evaluator::Impl::PostToGroup(Uin group, const Residence& residence, const Message& message) {
  std::string key = RememberedKeyOf(group, message.sender, message.client_message);
  if (view.FindLive(key).has_value()) return;
  const MastershipEpoch epoch = residence.at.epoch;
  const uint64_t group_seq = ++view.GroupSeqOf(group);
  draft->Put(GroupMessageKey(shard(), group, group_seq), {epoch, Version(group_seq)},
             EncodeGroupMessage({group_seq, message}));
  Put(std::move(key), {epoch, kFirst}, EncodeRemembered({message.id, now_ms(), group_seq}));
  std::vector<Target> targets = view.MembersOf(group).TargetsWithout(message.sender);
  if (targets.empty()) return;
  Intent fanout;
  fanout.kind = IntentKind::kFanout;
  fanout.group = group;
  fanout.group_seq = group_seq;
  draft->AddIntent(std::move(fanout), std::move(targets));
}

void Evaluator::Impl::TakeFanout(const AddressedIntent& in, const Origin& origin) {
  struct Copies {
    std::vector<Uin> users;
    std::vector<uint64_t> versions;
  };
  std::map<MastershipEpoch, Copies> here;
  std::map<std::pair<Incarnation, MastershipEpoch>, std::vector<Uin>> elsewhere;
  for (const Uin user : in.target.users) {
    if (!IsMine(user)) continue;
    const Residence residence = view.ResidenceOf(user);
    if (residence.kind != AccountKind::kUser) continue;  // joined before it became a group
    // A member may be known to the group before its account is created; its inbox may start before
    // it, too.
    switch (Judge(residence, in.target.epoch, false)) {
      case Verdict::kPark:
        Park(user, in.target.epoch, in.intent, origin);
        break;
      case Verdict::kForward:
        elsewhere[{residence.at.home, residence.at.epoch}].push_back(user);
        break;
      case Verdict::kHere: {
        Copies& copies = here[residence.at.epoch];
        copies.users.push_back(user);
        copies.versions.push_back(++view.InboxVersionOf(user));
        break;
      }
    }
  }
  const std::string item = EncodeInboxItem({std::nullopt, in.intent.group, in.intent.group_seq});
  for (auto& [epoch, copies] : here) {
    draft->Fanout(item, epoch, std::move(copies.users), std::move(copies.versions));
  }
  std::vector<Target> targets;
  for (auto& [address, users] : elsewhere) {
    targets.push_back({address.first, shard(), address.second, std::move(users)});
  }
  if (!targets.empty()) draft->AddIntent(in.intent, std::move(targets));
}

void Evaluator::Impl::Park(Uin target, MastershipEpoch behind, const Intent& intent,
                           const Origin& origin) {
  const Target address{options.self, shard(), behind, {target}};
  Put(ParkedKey(shard(), target, origin.source, origin.seq, origin.index), {{}, kFirst},
      EncodePendingIntent(address, intent));
}

// ---- Evaluator

Evaluator::Evaluator(EvaluatorOptions options, const StoreView* store)
    : impl_(std::make_unique<Impl>(options, store)) {}
Evaluator::~Evaluator() = default;

void Evaluator::Begin(WallMs now) {
  CHECK(!impl_->draft.has_value() || impl_->draft->empty(), "one entry is open at a time");
  impl_->view.OpenEntry();
  impl_->draft.emplace(now);
}

CommandResult Evaluator::Execute(const Command& command) {
  CHECK(impl_->draft.has_value(), "Execute needs an open entry");
  return std::visit(*impl_, command);
}

void Evaluator::Consume(StreamId source, Seq seq, uint32_t index, std::string_view pending_intent) {
  CHECK(impl_->draft.has_value(), "Consume needs an open entry");
  const Cursor cursor{seq, index};
  CHECK(cursor > impl_->view.ConsumedThrough(source), "an intent is consumed once", source, seq,
        index);
  const Origin origin{source, seq, index};
  impl_->view.Consumed(source, cursor);
  impl_->draft->Consumed(impl_->options.self, source, cursor);
  const auto intent = DecodePendingIntent(pending_intent);
  CHECK(intent.has_value(), "only ApplyEntry makes pending intents, in this format", source, seq);
  impl_->Take(*intent, origin);
}

void Evaluator::Keep(Incarnation role, const PendingIntent& intent) {
  CHECK(impl_->draft.has_value(), "Keep needs an open entry");
  // Never read by evaluation, so it goes past the view.
  impl_->draft->Put(KeptKey(role, intent.source, intent.seq, intent.index), {{}, kFirst},
                    intent.bytes);
}

void Evaluator::DropKept(const std::string& key) {
  CHECK(impl_->draft.has_value(), "DropKept needs an open entry");
  impl_->draft->Delete(key, {{}, kDropped});
}

void Evaluator::AddReport(Report report) {
  CHECK(impl_->draft.has_value(), "AddReport needs an open entry");
  impl_->draft->SetReport(std::move(report));
}

uint64_t Evaluator::draft_bytes() const {
  if (draft_empty()) return 0;
  return impl_->draft->bytes() + impl_->counted.size() * kCountersPutBytes;
}

bool Evaluator::draft_empty() const {
  return !impl_->draft.has_value() || impl_->draft->empty();
}

std::string Evaluator::Finish() {
  CHECK(impl_->draft.has_value(), "Finish needs an open entry");
  if (impl_->draft->empty()) {
    impl_->draft.reset();
    return {};
  }
  for (const auto& [owner, epoch] : impl_->counted) {
    const Counters& counters = impl_->view.CountersOf(owner);
    // Raised by a change of any counter.
    const Version version(counters.account + counters.contacts + counters.messages);
    impl_->Put(CountersKey(impl_->shard(), owner), {epoch, version}, EncodeCounters(counters));
  }
  impl_->counted.clear();
  std::string bytes = impl_->draft->Encode();
  impl_->draft.reset();
  impl_->view.CloseEntry();
  return bytes;
}

void Evaluator::Applied() {
  impl_->view.Applied();
}

}  // namespace homeport::core
