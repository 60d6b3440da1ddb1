#include "router/gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <type_traits>
#include <utility>

#include "core/check.h"
#include "core/messaging/queries.h"
#include "router/acknowledgements.h"
#include "router/arrivals.h"
#include "router/follower.h"
#include "router/local_reads.h"
#include "router/region_states.h"
#include "router/sealed_identity.h"
#include "router/token_bucket.h"
#include "router/wire.h"

namespace homeport::router {

using core::AccountKind;
using core::Duration;
using core::HomeOf;
using core::Incarnation;
using core::Instant;
using core::ShardId;
using core::Status;
using core::Uin;
using replicator::Ticket;

namespace {

Incarnation IncarnationOf(const GatewayOptions& options) {
  const core::RegionConfig* region = options.config.FindRegion(options.region);
  CHECK(region != nullptr, "the gateway's region is in the configuration", options.region);
  return region->incarnation;
}

template <class T, class Variant>
struct IsOneOf;
template <class T, class... Options>
struct IsOneOf<T, std::variant<Options...>>
    : std::bool_constant<(std::is_same_v<T, Options> || ...)> {};
template <class T>
concept IsCommand = IsOneOf<T, core::Command>::value;

// Which part of a CommandResult the client is told.
using AnswerOf = ResponseBody (*)(const core::CommandResult&);
ResponseBody UinOf(const core::CommandResult& result) {
  return UinAnswer{result.uin};
}
ResponseBody ChangedOf(const core::CommandResult& result) {
  return ChangedAnswer{result.changed, result.version};
}
ResponseBody NumberOf(const core::CommandResult& result) {
  return WrittenAnswer{result.number};
}
ResponseBody DeviceOf(const core::CommandResult& result) {
  return DeviceAnswer{result.device};
}
ResponseBody SentOf(const core::CommandResult& result) {
  return SentAnswer{result.message};
}
template <IsCommand T>
constexpr AnswerOf AnswerOfCommand() {
  if constexpr (std::is_same_v<T, core::RegisterDevice>) return DeviceOf;
  if constexpr (std::is_same_v<T, core::NewUin> || std::is_same_v<T, core::ClaimName>) return UinOf;
  if constexpr (std::is_same_v<T, core::SendMessage>) return SentOf;
  if constexpr (std::is_same_v<T, core::WriteJournal>) return NumberOf;
  return ChangedOf;
}

// What operators order; it is carried out whatever clients are told.
template <class T>
concept IsOrder =
    IsOneOf<T, std::variant<core::MoveHome, core::OrderRegion, core::WriteJournal>>::value;

FollowerOptions FollowerOptionsOf(const GatewayOptions& options, Incarnation self) {
  FollowerOptions follower;
  follower.self = self;
  follower.writes = options.config.follow_writes;
  follower.stay = std::chrono::seconds(options.config.follow_stay_seconds);
  follower.moves_per_second = options.config.follow_rate;
  return follower;
}

}  // namespace

struct Gateway::Impl {
  // Whose answer this is.
  struct Origin {
    ClientPeer peer;
    uint64_t number = 0;
    auto operator<=>(const Origin&) const = default;
  };
  struct Waiting {
    Origin origin;
    AnswerOf answer_of = nullptr;
    Instant since;
    bool orders_region = false;
  };

  Impl(GatewayOptions o, const core::StoreView* s, const RegionView* r)
      : options(std::move(o)),
        self(IncarnationOf(options)),
        store(s),
        region(r),
        states(&options.config, store),
        directory(&options.config, self, store, &states),
        reads(&options.config, store),
        polls(options.long_polls_max),
        arrivals(options.arrivals_max),
        acknowledgements(options.config.messaging, options.devices_remembered_max),
        sealing_key(core::SnapshotKey::FromSecret(options.config.secret)),
        connections(options.config.connection_rate),
        users(options.config.user_rate),
        follower(FollowerOptionsOf(options, self)) {
    stats.errors_by_code.resize(static_cast<size_t>(core::kLastCode) + 1);
  }

  // Of the call that runs.
  void Begin(Instant at, GatewayOutput* to) {
    now = at;
    out = to;
    states.Refresh(now, options.states_age_max);
  }

  // ---- answers

  void Reply(const Origin& origin, const ResponseBody& body) {
    if (const auto* status = std::get_if<Status>(&body)) {
      CHECK(!status->ok(), "only what failed is answered by its status");
      ++stats.errors_by_code.at(static_cast<size_t>(status->code()));
      if (status->code() == core::Code::kMoved) ++stats.moved;
    }
    std::string bytes = EncodeResponse(origin.number, body, states.blocked());
    stats.reply_bytes += bytes.size();
    out->replies.push_back({origin.peer, origin.number, std::move(bytes)});
  }
  // Reply to a read, once: it may be large or have cost much, and its repeats need no other.
  void ReplyOnce(const Origin& origin, const ResponseBody& body) {
    Reply(origin, body);
    // A front's connection may be lost, and the answer with it, and still be the same peer.
    if (IsFront(sealing_key, origin.peer)) return;
    answered.insert(origin);
    answered_by_age.push_back(origin);
    if (answered_by_age.size() <= options.answered_max) return;
    answered.erase(answered_by_age.front());
    answered_by_age.pop_front();
  }
  // Reply to what waited.
  void Release(const Origin& origin, const ResponseBody& body) {
    waiting_origins.erase(origin);
    Reply(origin, body);
  }
  void ReleaseOnce(const Origin& origin, const ResponseBody& body) {
    waiting_origins.erase(origin);
    ReplyOnce(origin, body);
  }

  // ---- checks

  Status Ready(ShardId shard) {
    if (region->ready()) return {};
    // Asking the region costs too much for every request of a start-up crowd.
    if (!asked_at || now - *asked_at > options.status_age_max) {
      last_status = region->Status();
      asked_at = now;
    }
    for (const replicator::ShardStatus& known : last_status.shards) {
      if (known.shard != shard || known.ready) continue;
      return Status::Unavailable(fmt::format("region {} is not ready for shard {}: {}; try again",
                                             options.region, shard.value(), known.why_not));
    }
    return {};
  }
  Status Ready(Uin uin) { return Ready(core::ShardOf(uin, options.config.shards)); }

  // Whether a command is to be executed here.
  Status Admit(const core::NewUin&) { return states.CheckOpen(self); }
  Status Admit(const core::ClaimName& command) { return directory.NameServedHere(command.name); }
  Status Admit(const core::CreateAccount& command) {
    RETURN_IF_ERROR(directory.BornHere(command.uin));
    return states.CheckOpen(self);
  }
  Status Admit(const core::OrderRegion& command) { return states.CheckOrder(command.state); }
  Status Admit(const core::WriteJournal&) { return {}; }
  Status Admit(const core::SendMessage& command) {
    RETURN_IF_ERROR(directory.ServedHere(command.from));
    return directory.LivesSomewhere(command.to);
  }
  Status Admit(const core::JoinGroup& command) {
    RETURN_IF_ERROR(directory.ServedHere(command.group));
    return directory.LivesSomewhere(command.user);
  }
  Status Admit(const core::LeaveGroup& command) { return directory.ServedHere(command.group); }

  template <class Change>
  requires IsOneOf<Change, core::ChangeCommand>::value Status Admit(const Change& command) {
    RETURN_IF_ERROR(directory.ServedHere(core::SubjectOf(command)));
    if constexpr (std::is_same_v<Change, core::CreateGroup>) return states.CheckOpen(self);
    return {};
  }
  Status Admit(const core::MoveHome& command) {
    RETURN_IF_ERROR(directory.ServedHere(command.subject));
    return CheckTarget(command.to);
  }
  // Whether users who live here may be sent to live there. Those who live there already are asked
  // about, too.
  Status CheckTarget(Incarnation to) {
    if (to == self) return {};
    const core::RegionConfig* known = options.config.FindRegion(to);
    if (known == nullptr) {
      return Status::BadRequest(fmt::format("incarnation {} is no region of cluster {}", to.value(),
                                            options.config.cluster));
    }
    RETURN_IF_ERROR(states.CheckOpen(to));
    const Duration silence = region->SilenceOf(to, now);
    if (silence <= options.silence_max) return {};
    return Status::Refused(fmt::format(
        "{}, the new home, has not been heard of in {} for {} s: whoever is moved there now is "
        "served nowhere until it is back",
        known->name, options.region,
        std::chrono::duration_cast<std::chrono::seconds>(silence).count()));
  }

  // The account is known, homed here and its shard is ready; `noun` is for the sentence.
  Status Serves(Uin uin, AccountKind kind, std::string_view noun) {
    return Serves(uin, core::FindAccount(*store, options.config.shards, uin), kind, noun);
  }
  Status Serves(Uin uin, const std::optional<core::AccountInfo>& account, AccountKind kind,
                std::string_view noun) {
    RETURN_IF_ERROR(directory.ServedHere(
        uin, account ? HomeOf{account->home, account->epoch, true, account->adopted}
                     : HomeOf{core::BirthIncarnation(uin), {}, false}));
    RETURN_IF_ERROR(states.CheckUnblocked(self));
    RETURN_IF_ERROR(Ready(uin));
    if (account && account->kind == kind) return {};
    return Status::BadRequest(fmt::format("no {} {} here: its id is of region {}, which knows none",
                                          noun, uin.value(), options.region));
  }

  Status ServesSync(const core::SyncHead& head) {
    return Serves(head.brought.user, head.user.account, AccountKind::kUser, "user");
  }

  // ---- limits

  template <class Request>
  static std::optional<Uin> UserOf(const Request& request) {
    if constexpr (std::is_same_v<Request, core::SendMessage>) {
      return request.from;
    } else if constexpr (IsCommand<Request> && requires { request.user; }) {
      return request.user;
    }
    return std::nullopt;
  }
  static std::optional<Uin> UserOf(const core::ChangeCommand& command) {
    return core::SubjectOf(command);
  }
  // Ok: not faster than is allowed. What passes on others' requests limits them itself.
  Status Limit(ClientPeer peer, const RequestBody& request) {
    if (options.config.connection_rate > 0 && !IsFront(sealing_key, peer)) {
      const auto wait = connections.Take(now, peer.value());
      if (wait) return TooFast(*wait, "this connection");
    }
    const auto user = std::visit([](const auto& body) { return UserOf(body); }, request);
    const auto wait = user ? users.Take(now, user->value()) : std::nullopt;
    return wait ? TooFast(*wait, "this user") : Status();
  }

  // ---- requests

  template <IsCommand Command>
  void Answer(const Origin& origin, Command command) {
    Status refused = Admit(command);
    if (refused.ok() && !IsOrder<Command>) refused = states.CheckUnblocked(self);
    if (refused.ok()) refused = region->AcceptsWrites();
    if (!refused.ok()) return Reply(origin, refused);
    core::Command any(std::move(command));
    const ShardId shard = core::ShardOfCommand(any, options.config.shards);
    if (Status late = Ready(shard); !late.ok()) return Reply(origin, late);
    const Ticket ticket(next_ticket++);
    commands.emplace(ticket, Waiting{origin, AnswerOfCommand<Command>(), now,
                                     std::is_same_v<Command, core::OrderRegion>});
    waiting_origins.insert(origin);
    out->commands.push_back({ticket, std::move(any)});
  }

  void Answer(const Origin& origin, core::ChangeCommand command) {
    if (std::holds_alternative<core::MoveHome>(command) && !MayOrder(origin)) return;
    std::visit([&](auto& one) { Answer(origin, std::move(one)); }, command);
  }
  void Answer(const Origin& origin, core::OrderRegion command) {
    if (MayOrder(origin)) Answer<core::OrderRegion>(origin, std::move(command));
  }
  void Answer(const Origin& origin, core::WriteJournal command) {
    if (MayOrder(origin)) Answer<core::WriteJournal>(origin, std::move(command));
  }
  void Answer(const Origin& origin, const JournalRequest& request) {
    if (!MayOrder(origin)) return;
    std::optional<core::JournalPlace> next;
    JournalPage page{core::ListJournal(*store, request.after, &next)};
    page.more = next.has_value();
    ReplyOnce(origin, page);
  }
  // A copy that has the version that is asked for is as good as the home's.
  void Answer(const Origin& origin, const ReadRecordRequest& request) {
    if (request.level == ReadLevel::kLatest) {
      const Status refused = Serves(request.user, AccountKind::kUser, "user");
      if (!refused.ok()) return Reply(origin, refused);
    }
    const auto read =
        core::ReadRecord(*store, options.config.shards, request.user, request.table, request.key);
    if (!read.ok()) return Reply(origin, read.status());
    if (request.level == ReadLevel::kCritical && read->version < request.at_least) {
      const Status refused = Serves(request.user, AccountKind::kUser, "user");
      if (!refused.ok()) return Reply(origin, refused);
      return Reply(origin, Status::BadRequest("the record has never had that version, as far as "
                                              "its home knows"));
    }
    ReplyOnce(origin, *read);
  }
  void Answer(const Origin& origin, const HelloRequest&) {
    HelloAnswer hello;
    hello.cluster = options.config.cluster;
    hello.region = options.region;
    hello.incarnation = self;
    hello.shards = options.config.shards;
    hello.pid = options.pid;
    for (const core::RegionConfig& known : options.config.regions) {
      hello.regions.push_back({known.name, known.incarnation, known.gateway});
    }
    Reply(origin, hello);
  }

  // "There is none" is said about what is homed here only when all of it is here.
  void Answer(const Origin& origin, const ResolveRequest& request) {
    ResolvedAnswer answer = reads.Resolve(request);
    const Uin bound = answer.bound;
    if (bound != Uin() && core::BirthIncarnation(bound) == self) {
      if (Status refused = Ready(bound); !refused.ok()) return Reply(origin, refused);
    } else if (!answer.account && bound == Uin() &&
               NamePartitionHome(request.name, options.config) == self) {
      const ShardId shard = core::ShardOfName(request.name, options.config.shards);
      if (Status refused = Ready(shard); !refused.ok()) return Reply(origin, refused);
    }
    Reply(origin, std::move(answer));
  }
  void Answer(const Origin& origin, const ShowRequest& request) {
    ResolvedAnswer answer = reads.Show(request);
    if (!answer.account && core::BirthIncarnation(request.uin) == self) {
      if (Status refused = Ready(request.uin); !refused.ok()) return Reply(origin, refused);
    }
    Reply(origin, std::move(answer));
  }

  Status CheckShard(ShardId shard) const {
    if (shard.value() < options.config.shards) return {};
    return Status::BadRequest(fmt::format("no shard {}: cluster {} has {}, counted from 0",
                                          shard.value(), options.config.cluster,
                                          options.config.shards));
  }
  // A list says what there is not, too: it waits until a store that starts has come up to what it
  // had acknowledged.
  void Answer(const Origin& origin, const ListRequest& request) {
    if (Status refused = CheckShard(request.shard); !refused.ok()) return Reply(origin, refused);
    if (Status refused = Ready(request.shard); !refused.ok()) return Reply(origin, refused);
    ReplyOnce(origin, reads.List(request));
  }
  void Answer(const Origin& origin, const MembersRequest& request) {
    if (Status refused = Ready(request.group); !refused.ok()) return Reply(origin, refused);
    ReplyOnce(origin, reads.Members(request));
  }
  void Answer(const Origin& origin, const DigestRequest& request) {
    if (Status refused = CheckShard(request.shard); !refused.ok()) return Reply(origin, refused);
    if (digests.size() >= options.digests_max) {
      return Reply(origin, Status::Overloaded(1000, "many digests are being computed; try again"));
    }
    const Ticket ticket(next_ticket++);
    digests.emplace(ticket, origin);
    waiting_origins.insert(origin);
    out->digests.push_back({ticket, request.shard});
  }
  void Answer(const Origin& origin, const StatusRequest&) {
    ReplyOnce(origin, Report(region->Status()));
  }
  void Answer(const Origin& origin, const QueueGroupsRequest&) {
    Reply(origin, region->QueueGroups());
  }
  // Answered, and false, when it comes from no operator.
  bool MayOrder(const Origin& origin) {
    if (IsSealed(sealing_key, SealedRole::kOperator, origin.peer)) return true;
    Reply(origin, Status::Refused("an operator's order: it needs the cluster's secret, which "
                                  "stands in cluster.toml, and a gateway of the region itself"));
    return false;
  }
  void Answer(const Origin& origin, const AddQueueGroupRequest& request) {
    if (!MayOrder(origin)) return;
    out->orders.push_back(quorum_queue::AddGroupOrder{
        TicketOf(origin), quorum_queue::GroupId(request.group), request.endpoints});
  }
  void Answer(const Origin& origin, const DrainQueueGroupRequest& request) {
    if (!MayOrder(origin)) return;
    out->orders.push_back(
        quorum_queue::DrainGroupOrder{TicketOf(origin), quorum_queue::GroupId(request.group)});
  }
  uint64_t TicketOf(const Origin& origin) {
    orders.emplace(next_ticket, origin);
    waiting_origins.insert(origin);
    return next_ticket++;
  }
  RegionReport Report(const replicator::RegionStatus& from) const;

  // ---- requests about who is moving here

  // Whether this is to wait: its move is not known here yet, or has not come to its end. Only who
  // was told of a move asks for one that is not at its end. Who is served here is, whatever a
  // client says that it was told: only this region could have sent him on.
  bool IsArriving(Uin subject, core::MastershipEpoch known) const {
    const HomeOf home = directory.Home(subject);
    return home.home == self ? !home.adopted : known > home.epoch;
  }
  void AnswerOrAwaitArrival(const Origin& origin, RequestBody request, core::MastershipEpoch known,
                            Instant deadline) {
    const auto subject = SubjectOfRequest(request);
    const bool was_told = known != core::MastershipEpoch{};
    if (!subject || !was_told || !IsArriving(*subject, known)) {
      return std::visit([&](auto& body) { Answer(origin, std::move(body)); }, request);
    }
    const bool has_enough = !IsFront(sealing_key, origin.peer) &&
                            arrivals.HeldOf(origin.peer) >= options.arrivals_of_peer_max;
    if (arrivals.full() || has_enough) {
      return Reply(origin, Status::Overloaded(100, "many users move here; try again"));
    }
    arrivals.Add(*subject, {origin.peer, origin.number, deadline, std::move(request), known});
    waiting_origins.insert(origin);
  }
  void LookAtArrivals(Uin subject) {
    for (Arrivals::Held& held : arrivals.Take(subject)) {
      const Origin origin{held.peer, held.number};
      waiting_origins.erase(origin);
      AnswerOrAwaitArrival(origin, std::move(held.request), held.known, held.deadline);
    }
  }
  void RefuseLateArrivals() {
    for (const Arrivals::Held& held : arrivals.TakeExpired(now)) {
      Release({held.peer, held.number},
              Status::Unavailable(
                  fmt::format("its move to {} takes longer; try again", options.region)));
    }
  }

  // ---- homes that follow

  // The user whose own data a request writes.
  static std::optional<Uin> WriterOf(const RequestBody& request) {
    if (const auto* send = std::get_if<core::SendMessage>(&request)) return send->from;
    const auto* change = std::get_if<core::ChangeCommand>(&request);
    if (change == nullptr) return std::nullopt;
    return std::visit(
        [](const auto& one) -> std::optional<Uin> {
          if constexpr (
              requires { one.user; } && !requires { one.group; })
            return one.user;
          return std::nullopt;
        },
        *change);
  }
  // Behind the write in its user's queue.
  void Follow(Uin user, Incarnation from) {
    if (!region->AcceptsWrites().ok() || !directory.ServedHere(user).ok()) return;
    const auto to = follower.OnWrite(now, user, from);
    if (!to || !CheckTarget(*to).ok()) return;
    ++stats.followed;
    const Ticket ticket(next_ticket++);
    commands.emplace(ticket, Waiting{{}, nullptr, now});
    out->commands.push_back({ticket, core::MoveHome{user, *to}});
  }

  // ---- requests that may wait

  void Answer(const Origin& origin, const SyncRequest& request) {
    AnswerOrHold(origin, request, request.wait_ms);
  }
  void Answer(const Origin& origin, const RecordsRequest& request) {
    AnswerOrHold(origin, request, request.wait_ms);
  }
  void Answer(const Origin& origin, const AwaitSequencedRequest& request) {
    AnswerOrHold(origin, request, request.wait_ms);
  }
  void Answer(const Origin& origin, const AwaitNewsRequest& request) {
    if (const auto older = polls.TakeNewsPoll(request.user, request.device)) {
      Release({older->peer, older->number}, NewsAnswer{false, true});
    }
    AnswerOrHold(origin, request, request.wait_ms);
  }
  void Answer(const Origin&, const CancelRequest&) {
    CHECK(false, "what is cancelled is seen to before it counts as a repeated request");
  }
  void Cancel(const Origin& origin) {
    if (polls.Cancel(origin.peer, origin.number) || arrivals.Cancel(origin.peer, origin.number)) {
      waiting_origins.erase(origin);
    }
  }
  template <class Request>
  void AnswerOrHold(const Origin& origin, const Request& request, uint32_t wait_ms) {
    const bool last = wait_ms == 0;
    awaits_group = Uin();
    if (auto answer = Try(request, last)) return ReplyOnce(origin, *answer);
    if (polls.full()) {
      return Reply(origin,
                   Status::Overloaded(1000, "too many clients wait for news here; try again"));
    }
    constexpr bool kForNews = std::is_same_v<Request, AwaitNewsRequest>;
    const Duration wait =
        std::min<Duration>(std::chrono::milliseconds(wait_ms),
                           kForNews ? options.news_poll_max : options.long_poll_max);
    const uint64_t id = polls.Add({origin.peer, origin.number, now + wait, request});
    if (awaits_group != Uin()) polls.AlsoFor(id, awaits_group);
    waiting_origins.insert(origin);
  }
  // nullopt: nothing yet, wait on. Always an answer when this is the `last` try.
  std::optional<ResponseBody> Try(const SyncRequest& request, bool last) {
    const core::SyncHead head = reads.Begin(request);
    if (Status refused = ServesSync(head); !refused.ok()) return refused;
    auto read = reads.Sync(request, head);
    if (!read.ok()) return read.status();
    awaits_group = read->awaits_group;
    if (read->acknowledges) Acknowledge(request, *read->acknowledges);
    SyncResult& page = read->result;
    // Another token than the one brought is news too: the client may have to step back.
    const bool same_token = request.snapshot.empty() || request.snapshot == page.snapshot;
    const bool is_empty =
        page.messages.empty() && page.contacts.empty() && page.conversations.empty() && !page.more;
    if (!last && is_empty && same_token) return std::nullopt;
    return std::move(page);
  }
  std::optional<ResponseBody> Try(const RecordsRequest& request, bool last) {
    if (Status refused = Serves(request.user, AccountKind::kUser, "user"); !refused.ok()) {
      return refused;
    }
    auto page = reads.Records(request);
    if (!page.ok()) return page.status();
    const bool same_token = request.snapshot.empty() || request.snapshot == page->snapshot;
    if (!last && page->records.empty() && !page->more && same_token) return std::nullopt;
    return std::move(*page);
  }
  // Nobody waits for it: the next one does as well.
  void Acknowledge(const SyncRequest& request, const core::SyncAcknowledgement& what) {
    if (!region->AcceptsWrites().ok()) return;  // it brings the same again
    if (!acknowledgements.Tell(now, request.user, request.device, what)) return;
    const Ticket ticket(next_ticket++);
    commands.emplace(ticket, Waiting{{}, nullptr, now});
    out->commands.push_back(
        {ticket, core::Acknowledge{request.user, request.device, what.brought}});
  }
  // A place in the group is an acknowledgement, too.
  std::optional<ResponseBody> Try(const AwaitSequencedRequest& request, bool last) {
    if (Status refused = Serves(request.group, AccountKind::kGroup, "group"); !refused.ok()) {
      return refused;
    }
    if (Status refused = region->AcceptsWrites(); !refused.ok()) return refused;
    SequencedAnswer answer{core::FindGroupSeq(*store, options.config.shards, request.group,
                                              request.sender, request.client_message)};
    if (!last && !answer.group_seq) return std::nullopt;
    return answer;
  }
  std::optional<ResponseBody> Try(const AwaitNewsRequest& request, bool last) {
    const SyncRequest sync{request.user, request.snapshot, 1, 1, 0, request.device};
    const core::SyncHead head = reads.Begin(sync);
    if (Status refused = ServesSync(head); !refused.ok()) return refused;
    if (request.snapshot.empty()) return NewsAnswer{true, false};
    // Whatever a sync would bring shows in its token.
    const auto read = reads.Sync(sync, head);
    if (!read.ok()) return read.status();
    awaits_group = read->awaits_group;
    NewsAnswer answer{read->result.snapshot != request.snapshot, false};
    for (const RecordsPlace& place : request.records) {
      const auto page = reads.Records({request.user, place.table, place.snapshot, 1, 1, 0});
      if (!page.ok()) return page.status();
      if (page->snapshot != place.snapshot) answer.records.push_back(place.table);
    }
    if (!last && !answer.news && answer.records.empty()) return std::nullopt;
    return answer;
  }
  void ServePolls() {
    for (size_t tried = 0; tried < options.polls_per_turn_max; ++tried) {
      const auto due = polls.NextDue(now);
      if (!due) return;
      const auto& [id, poll] = *due;
      const bool last = poll->deadline <= now;
      awaits_group = Uin();
      const auto answer =
          std::visit([&](const auto& request) { return Try(request, last); }, poll->request);
      if (!answer) {
        polls.Rest(id);
        if (awaits_group != Uin()) polls.AlsoFor(id, awaits_group);
        continue;
      }
      const Origin origin{poll->peer, poll->number};
      polls.Remove(id);
      ReleaseOnce(origin, *answer);
    }
  }

  const GatewayOptions options;
  const Incarnation self;
  const core::StoreView* store;
  const RegionView* region;
  RegionStates states;
  Directory directory;
  LocalReads reads;
  LongPolls polls;
  Arrivals arrivals;
  Acknowledgements acknowledgements;
  const core::SnapshotKey sealing_key;
  KeyedBuckets connections;
  KeyedBuckets users;
  Follower follower;
  std::map<Ticket, Waiting> commands;
  std::map<Ticket, Origin> digests;
  std::map<uint64_t, Origin> orders;  // by ticket
  std::set<Origin> waiting_origins;   // of commands, digests, orders and long polls
  std::set<Origin> answered;          // of reads, the latest
  std::deque<Origin> answered_by_age;
  uint64_t next_ticket = 1;
  replicator::RegionStatus last_status;  // as of asked_at; used while not ready
  std::optional<Instant> asked_at;
  GatewayStats stats;

  // Of the call that runs.
  Instant now;
  Uin awaits_group;  // whose message the last read of an inbox stopped before
  GatewayOutput* out = nullptr;
};

RegionReport Gateway::Impl::Report(const replicator::RegionStatus& from) const {
  RegionReport report;
  report.region = options.region;
  report.incarnation = self;
  report.pid = options.pid;
  report.ready = region->ready();
  report.writes_refused = region->AcceptsWrites().message();
  for (const replicator::ShardStatus& shard : from.shards) {
    RegionReport::Shard& to = report.shards.emplace_back();
    to.shard = shard.shard;
    to.ready = shard.ready;
    to.why_not = shard.why_not;
    to.epoch = shard.writer.epoch.value();
    to.committed = shard.writer.committed.value();
    to.applied = shard.applied.value();
    to.commands_queued = shard.commands_queued;
    to.intents_pending = shard.intents_pending;
  }
  for (const replicator::StreamLag& stream : from.streams) {
    RegionReport::Stream& to = report.streams.emplace_back();
    to.stream = stream.stream;
    to.applied = stream.applied.value();
    to.committed = stream.committed.value();
    if (stream.heard) {
      to.heard_ms_ago =
          std::chrono::duration_cast<std::chrono::milliseconds>(now - *stream.heard).count();
    }
    to.applied_written_at_ms = stream.applied_written_at.count();
    to.trimmed = stream.trimmed.value();
    to.begins_at = stream.begins_at.value_or(core::Seq(0)).value();
    to.held_nowhere = stream.held_nowhere.value_or(core::Seq(0)).value();
  }
  for (const replicator::AwayStatus& one : from.away) {
    report.away.push_back({one.region, one.stream, one.needs_bootstrap});
  }
  report.states = states.all();
  return report;
}

Gateway::Gateway(GatewayOptions options, const core::StoreView* store, const RegionView* region)
    : impl_(std::make_unique<Impl>(std::move(options), store, region)) {}
Gateway::~Gateway() = default;

void Gateway::Receive(Instant now, ClientPeer peer, std::string_view bytes, GatewayOutput* out) {
  Impl& self = *impl_;
  self.Begin(now, out);
  ++self.stats.requests;
  self.stats.request_bytes += bytes.size();
  DecodedRequest request = DecodeRequest(bytes);
  if (bytes.size() > kRequestBytesMax) {
    request.status = Status::TooLarge(kRequestBytesMax,
                                      fmt::format("a request may have {} bytes, this one has {}",
                                                  kRequestBytesMax, bytes.size()));
  }
  if (!request.status.ok()) ++self.stats.malformed;
  if (!request.number) return;
  const Impl::Origin origin{peer, *request.number};
  if (!request.status.ok()) return self.Reply(origin, request.status);
  if (std::holds_alternative<CancelRequest>(request.body)) return self.Cancel(origin);
  if (self.waiting_origins.contains(origin) || self.answered.contains(origin)) {
    ++self.stats.repeated;
    return;
  }
  if (Status refused = self.Limit(peer, request.body); !refused.ok()) {
    ++self.stats.limited;
    return self.Reply(origin, refused);
  }
  const auto writer = Impl::WriterOf(request.body);
  self.AnswerOrAwaitArrival(origin, std::move(request.body), request.known,
                            now + self.options.arrival_hold);
  if (writer && self.options.config.follow_writes > 0) self.Follow(*writer, request.from);
}

void Gateway::ReplyRefused(ClientPeer peer, uint64_t number) {
  // Its place in answered_by_age goes with its age.
  impl_->answered.erase({peer, number});
}

void Gateway::OnDone(Instant now, const replicator::Done& done, GatewayOutput* out) {
  Impl& self = *impl_;
  self.Begin(now, out);
  const auto at = self.commands.find(done.ticket);
  CHECK(at != self.commands.end(), "a command is done once", done.ticket);
  const Impl::Waiting waiting = at->second;
  self.commands.erase(at);
  if (waiting.orders_region) {
    self.states.Forget();
    self.Begin(now, out);
  }
  if (waiting.answer_of == nullptr) return;
  out->command_latencies.push_back(now - waiting.since);

  Status status = done.result.status;
  // Its entry may lie beyond what others take over from here: nobody may count on it.
  if (const Status late = self.region->AcceptsWrites(); status.ok() && !late.ok()) {
    status = Status::NoQuorum(late.message() +
                              "; this write may have been carried out, and another try tells");
  }
  self.Release(waiting.origin, status.ok() ? waiting.answer_of(done.result) : ResponseBody(status));
}

void Gateway::OnDigest(Instant now, Ticket ticket, std::vector<core::TableDigest> tables,
                       GatewayOutput* out) {
  Impl& self = *impl_;
  self.Begin(now, out);
  const auto at = self.digests.find(ticket);
  CHECK(at != self.digests.end(), "a digest is computed once", ticket);
  const Impl::Origin origin = at->second;
  self.digests.erase(at);
  self.ReleaseOnce(origin, DigestAnswer{std::move(tables)});
}

void Gateway::OnOrderDone(Instant now, const quorum_queue::OrderDone& done, GatewayOutput* out) {
  Impl& self = *impl_;
  self.Begin(now, out);
  const auto at = self.orders.find(done.ticket);
  CHECK(at != self.orders.end(), "an order is done once", done.ticket);
  const Impl::Origin origin = at->second;
  self.orders.erase(at);
  self.Release(origin, done.status.ok()
                           ? ResponseBody(GroupOrderResult{done.group.value(), done.changed})
                           : ResponseBody(done.status));
}

void Gateway::OnNews(Instant now, const replicator::News& news, GatewayOutput* out) {
  impl_->Begin(now, out);
  for (const Uin user : news.inboxes) {
    impl_->polls.Wake(user);
    impl_->LookAtArrivals(user);
  }
  for (const core::Sequenced& message : news.sequenced) impl_->polls.Wake(message.group);
  Tick(now, out);
}

void Gateway::Tick(Instant now, GatewayOutput* out) {
  impl_->Begin(now, out);
  impl_->RefuseLateArrivals();
  impl_->ServePolls();
}

std::optional<Instant> Gateway::NextDeadline() const {
  const auto polls = impl_->polls.NextDeadline();
  const auto arrivals = impl_->arrivals.NextDeadline();
  if (!polls || (arrivals && *arrivals < *polls)) return arrivals;
  return polls;
}
const GatewayStats& Gateway::stats() const {
  return impl_->stats;
}
size_t Gateway::commands_waiting() const {
  return impl_->commands.size();
}
size_t Gateway::long_polls() const {
  return impl_->polls.size();
}

}  // namespace homeport::router
