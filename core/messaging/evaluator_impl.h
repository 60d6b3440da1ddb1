// Evaluator::Impl: one evaluator's state and everything it does with a command or an intent.
//
// evaluator.cc: the life of an entry. evaluate_accounts.cc, evaluate_messages.cc,
// evaluate_groups.cc ...: commands, and what an intent does at its end, by area.
// evaluate_intents.cc: where an intent goes: taken here, forwarded or parked. evaluate_moves.cc:
// a user's way from home to home.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/check.h"
#include "core/config.h"
#include "core/messaging/draft.h"
#include "core/messaging/drafted_view.h"
#include "core/messaging/evaluator.h"
#include "core/messaging/keys.h"
#include "core/messaging/records.h"
#include "core/messaging/rows.h"

namespace homeport::core {

// Rows that are put once and never change: names, remembered and parked ones.
inline constexpr Version kFirst{1};
// A parked row's tombstone.
inline constexpr Version kUnparked{2};
// In a remembered row's key: what the owner itself sent. Else a message to oneself would look
// delivered.
inline constexpr Uin kSentByOwner{0};

// Where an intent came from; parked rows are kept under it.
struct Origin {
  StreamId source;
  Seq seq;
  uint32_t index = 0;
};

enum class Verdict { kHere, kForward, kPark };

inline CommandResult Refused(Status status) {
  CommandResult result;
  result.status = std::move(status);
  return result;
}

// kTooLarge for words that are longer than people need.
Status CheckLabel(std::string_view label, std::string_view what);

struct Evaluator::Impl {
  EvaluatorOptions options;
  DraftedView view;
  std::optional<Draft> draft;
  // Owners whose counters the open entry raised: one row each at its end.
  std::map<Uin, MastershipEpoch> counted;
  // Whose parked intents are taken now.
  std::optional<Uin> unparking;
  // Of the journal: the highest number known or drafted.
  uint64_t last_journal = 0;

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
  // The owner's counters, to be changed: written with the entry.
  Counters& Count(Uin owner) {
    counted.try_emplace(owner, view.ResidenceOf(owner).at.epoch);
    return view.CountersOf(owner);
  }
  // Version of the owner's next change of its account table.
  Version NextAccountVersion(Uin owner) { return Version(++Count(owner).account); }
  std::string RememberedKeyOf(Uin owner, Uin sender, ClientMessageId id) const {
    return RememberedKey(shard(), owner, sender, id);
  }
  std::optional<Remembered> FindRemembered(const std::string& key) {
    const std::optional<Row> row = view.Find(key);
    if (!row.has_value() || row->deleted) return std::nullopt;
    if (options.messaging.move_bug == PlantedMoveBug::kMemoryStays &&
        row->stamp.epoch < view.ResidenceOf(OwnerOfKey(key)).at.epoch) {
      return std::nullopt;
    }
    return DecodeRemembered(row->value);
  }
  int64_t now_ms() const { return draft->now().count(); }

  // ---- commands

  // Of a command with an id that was executed already: its first answer.
  template <class One>
  CommandResult Run(const One& command) {
    if constexpr (requires { command.once; }) {
      if (command.once != ClientMessageId()) {
        return RunOnce(OwnerOf(command), command.once, [&] { return (*this)(command); });
      }
    }
    return (*this)(command);
  }
  // Whose commands it is among: a group's, or a user's.
  template <class One>
  static Uin OwnerOf(const One& command) {
    if constexpr (requires { command.group; }) {
      return command.group;
    } else {
      return command.user;
    }
  }
  CommandResult RunOnce(Uin owner, ClientMessageId once, const std::function<CommandResult()>& run);

  CommandResult operator()(const NewUin& command);
  CommandResult operator()(const ClaimName& command);
  CommandResult operator()(const CreateAccount& command);
  CommandResult operator()(const SendMessage& command);
  CommandResult operator()(const JoinGroup& command);
  CommandResult operator()(const LeaveGroup& command);
  CommandResult operator()(const RegisterDevice& command);
  CommandResult operator()(const RemoveDevice& command);
  CommandResult operator()(const Acknowledge& command);
  CommandResult operator()(const SetProfile& command);
  CommandResult operator()(const AskContact& command);
  CommandResult operator()(const DeleteContact& command);
  CommandResult operator()(const BlockContact& command);
  CommandResult operator()(const RemarkContact& command);
  CommandResult operator()(const RecallMessage& command);
  CommandResult operator()(const CreateGroup& command);
  CommandResult operator()(const RenameGroup& command);
  CommandResult operator()(const CloseGroup& command);
  CommandResult operator()(const AddMember& command);
  CommandResult operator()(const RemoveMember& command);
  CommandResult operator()(const TransferGroup& command);
  CommandResult operator()(const MarkRead& command);
  CommandResult operator()(const PutRecord& command);
  CommandResult operator()(const DeleteRecord& command);
  CommandResult operator()(const MoveHome& command);
  CommandResult operator()(const OrderRegion& command);
  CommandResult operator()(const WriteJournal& command);

  CommandResult Create(AccountInfo account);

  Status CheckServed(Uin uin, AccountKind kind, std::string_view what);
  Status CheckReceiver(const SendMessage& command);

  // ---- moves

  std::optional<Position> NotReplayed(const AccountInfo& account) const;
  Adoption Adopt(Uin uin);

  // ---- contacts

  std::optional<Contact> FindContact(Uin user, Uin peer) const;
  // As far as it is known here.
  bool Blocks(Uin user, Uin peer) const;
  Status CheckContact(Uin user, Uin peer);
  void PutContact(Uin user, Uin peer, Contact contact, bool is_new);
  CommandResult ChangeContact(Uin user, Uin peer, std::string_view words,
                              const std::function<bool(Contact*, MastershipEpoch)>& change);
  void LearnContact(Uin user, const ContactChange& change);

  // ---- positions

  std::optional<Conversation> FindConversation(Uin user, Uin with) const;
  // False when it is new and the user has as many as may be.
  bool PutConversation(Uin user, Uin with, const Conversation& conversation, bool is_new);
  // What lies at `at` in the inbox of `user`, of the conversation with `with`; kBadRequest when it
  // is of another.
  Result<Mark> MarkAt(Uin user, Uin with, const Stamp& at) const;
  void SendReceipt(Uin to, const Receipt& receipt);
  void LearnReceipt(Uin user, const Receipt& receipt);
  // Senders hear what the user's devices have acknowledged: as much of it as one entry holds.
  void TellDelivered(Uin user);

  // ---- operators

  uint64_t NextJournalNumber();

  // ---- records

  Status CountRecord(Uin user, bool is_new, uint64_t bytes, RecordTable* table);
  // nullopt: it is deleted.
  CommandResult ChangeRecord(Uin user, std::string_view table, std::string_view key,
                             const std::optional<std::string>& value,
                             const std::optional<Stamp>& expects);

  // ---- groups

  Status CheckMember(Uin user);
  Status CheckOwner(Uin group, Uin by);
  Status AddTo(Uin group, Uin user, bool* changed);
  void RemoveFrom(Uin group, Uin user);
  AccountInfo FindGroup(Uin group) const;
  void PutGroup(const AccountInfo& group);
  void PostEvent(Uin group, Uin by, GroupEvent event);
  // To all members but `without`.
  void FanOut(Uin group, uint64_t group_seq, Uin without);

  // ---- recall

  std::optional<std::pair<Remembered, Stamp>> MarkRecalled(Uin owner, const Residence& residence,
                                                           const Message& message);
  void RecallFromInbox(Uin user, const Residence& residence, const Message& message);
  void RecallFromGroup(Uin group, const Residence& residence, const Message& message);

  // ---- devices and retention

  bool IsGone(const DevicePosition& device) const {
    return now_ms() - device.seen_at_ms > options.messaging.device_gone_after.count();
  }
  bool ForgetGoneDevice(Uin user, Counters* counters);
  // Removes at most `items_max` items; answers how many.
  size_t TrimInbox(Uin user, size_t items_max);
  size_t TrimGroup(Uin group, size_t items_max);

  // ---- intents

  Verdict Judge(Uin uin, const Residence& residence, MastershipEpoch behind, bool must_exist);
  void Take(const AddressedIntent& in, const Origin& origin);
  void TakeMessage(Uin to, MastershipEpoch behind, const Intent& intent, const Origin& origin);
  void TakeFanout(const AddressedIntent& in, const Origin& origin);
  void DeliverToUser(Uin user, const Residence& residence, const Message& message);
  void PostToGroup(Uin group, const Residence& residence, const Message& message);
  void Park(Uin target, MastershipEpoch behind, const Intent& intent, const Origin& origin);
  void Unpark(Uin uin);
};

}  // namespace homeport::core
