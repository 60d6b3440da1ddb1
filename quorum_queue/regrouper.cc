#include "quorum_queue/regrouper.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/check.h"

namespace homeport::quorum_queue {

using core::Instant;
using core::Status;

namespace {

// What one replica may show of one stream and still be looked at; more is in too many pieces.
constexpr size_t kRunsKeptMax = 1 << 16;
// After a look that found the group needed: so many times as long as it took.
constexpr int kLookPause = 4;

std::string NumberText(ReplicaSlot place) {
  return fmt::to_string(NumberOf(GroupId(place.group), place.slot) + 1);
}

}  // namespace

struct Regrouper::Impl {
  // What an operator asked for.
  struct Order {
    uint64_t ticket = 0;
    std::optional<Endpoints> add;
    GroupId group = GroupId(0);
    uint64_t nonce = 0;
    Instant ask_at;
    Instant give_up_at;
    std::map<ReplicaSlot, StatusAnswer> answers;
    bool changing = false;  // ChangeRecord is under way
  };
  // All pages of a replica, so far.
  struct Gathering {
    HeldStream held;
    Seq next = Seq(1);  // page asked for
    bool complete = false;
  };
  // Of one stream, for the group that is to go.
  struct Look {
    StreamEvidence evidence;
    std::map<ReplicaSlot, Gathering> replicas;
    Instant begun;
    Instant ask_at;
    Instant give_up_at;  // moves on with every page that comes
  };

  explicit Impl(RegrouperOptions o) : options(std::move(o)), nonce(options.first_nonce) {}

  // ---- events
  void On(AddGroupOrder& order);
  void On(DrainGroupOrder& order);
  void On(RegrouperGroups& changed);
  void On(RegrouperAnswer& received);
  void On(OpenWriters& known);
  void On(const RecordChanged& changed);
  void On(const RegrouperTick&) {}

  // ---- an order
  void Done(uint64_t ticket, Status status, GroupId group = GroupId(0), bool changed = false);
  Status MayAdd(GroupId id, const Endpoints& endpoints) const;
  void Begin(Order order);
  void End(Status status, GroupId group, bool changed);
  void AskMembers();
  std::vector<std::string> Missing() const;
  Status CheckNewcomers() const;
  void Conclude();

  // ---- a group that drains
  const Group* Draining() const;
  void BeginLook();
  void AskPages();
  void OnHoldings(ReplicaSlot from, HoldingsAnswer& answer);
  void Judge();
  std::string WithoutAnswer() const;
  std::optional<StreamId> NextStream() const;

  const Group* Find(GroupId id) const {
    const auto found =
        std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.id == id; });
    return found == groups.end() ? nullptr : &*found;
  }
  bool IsMember(ReplicaSlot place, DiskId disk) const {
    const Group* group = Find(GroupId(place.group));
    return group != nullptr && place.slot < 3 && group->disks[place.slot] == disk;
  }
  void ServeTimers();

  const RegrouperOptions options;
  std::vector<Group> groups;
  std::vector<Endpoints> endpoints;
  GroupId last_group = GroupId(0);
  std::map<StreamId, OpenWriter> writers;
  uint64_t nonce;
  std::optional<Order> order;

  std::set<StreamId> settled;  // streams that need the draining group no more
  std::optional<Look> look;
  std::optional<StreamId> last_looked;
  Instant look_at{};
  bool removing = false;
  std::string why_not;

  // The Step under way.
  Instant now{};
  std::vector<RegrouperEffect>* effects = nullptr;
};

// ---- orders

void Regrouper::Impl::Done(uint64_t ticket, Status status, GroupId group, bool changed) {
  effects->emplace_back(OrderDone{ticket, std::move(status), group, changed});
}

Status Regrouper::Impl::MayAdd(GroupId id, const Endpoints& given) const {
  if (Find(id) != nullptr) {
    return Status::BadRequest(
        fmt::format("group {} is there, and its replicas are elsewhere", id.value()));
  }
  if (id != last_group + 1) {
    return Status::BadRequest(fmt::format(
        "the next group has number {}: numbers are not used again", last_group.value() + 1));
  }
  for (size_t slot = 0; slot < given.size(); ++slot) {
    if (given[slot].empty() || std::count(given.begin(), given.end(), given[slot]) > 1) {
      return Status::BadRequest("a group has three replicas, each at an endpoint of its own");
    }
    for (size_t i = 0; i < groups.size(); ++i) {
      if (std::find(endpoints[i].begin(), endpoints[i].end(), given[slot]) == endpoints[i].end()) {
        continue;
      }
      return Status::BadRequest(
          fmt::format("{} is a replica of group {} already", given[slot], groups[i].id.value()));
    }
  }
  return {};
}

void Regrouper::Impl::On(AddGroupOrder& given) {
  for (size_t i = 0; i < groups.size(); ++i) {
    const bool is_there = groups[i].id == given.id && endpoints[i] == given.endpoints;
    if (is_there) return Done(given.ticket, {}, given.id);
  }
  Status refused = MayAdd(given.id, given.endpoints);
  if (!refused.ok()) return Done(given.ticket, std::move(refused));
  Order begun;
  begun.ticket = given.ticket;
  begun.group = given.id;
  begun.add = given.endpoints;
  Begin(std::move(begun));
}

void Regrouper::Impl::On(DrainGroupOrder& given) {
  const Group* group = Find(given.id);
  const bool is_gone = group == nullptr && given.id != GroupId(0) && given.id <= last_group;
  if (is_gone || (group != nullptr && group->state == GroupState::kDraining)) {
    return Done(given.ticket, {}, given.id);
  }
  if (group == nullptr) {
    return Done(given.ticket,
                Status::BadRequest(fmt::format("there is no group {}; the last one that was added "
                                               "is {}",
                                               given.id.value(), last_group.value())));
  }
  const auto active = std::count_if(groups.begin(), groups.end(), [](const Group& one) {
    return one.state == GroupState::kActive;
  });
  if (active == 1) {
    return Done(given.ticket,
                Status::BadRequest(fmt::format("group {} is the last active one: add another first",
                                               given.id.value())));
  }
  Order begun;
  begun.ticket = given.ticket;
  begun.group = given.id;
  Begin(std::move(begun));
}

void Regrouper::Impl::Begin(Order begun) {
  if (order) {
    return Done(begun.ticket, Status::Overloaded(1000,
                                                 "another change of the groups is under way; "
                                                 "try again"));
  }
  begun.nonce = nonce++;
  begun.give_up_at = now + options.answer_within;
  order = std::move(begun);
  if (order->add) effects->emplace_back(ConnectNewcomers{order->add});
  AskMembers();
}

void Regrouper::Impl::End(Status status, GroupId group, bool changed) {
  if (order->add) effects->emplace_back(ConnectNewcomers{});
  Done(order->ticket, std::move(status), group, changed);
  order.reset();
}

void Regrouper::Impl::AskMembers() {
  order->ask_at = now + options.ask_every;
  const auto ask = [&](uint16_t group) {
    for (uint8_t slot = 0; slot < 3; ++slot) {
      const ReplicaSlot place{group, slot};
      if (order->answers.contains(place)) continue;
      effects->emplace_back(RegrouperSend{place, StatusRequest{order->nonce}});
    }
  };
  for (const Group& group : groups) ask(static_cast<uint16_t>(group.id.value()));
  if (order->add) ask(kNewcomers);
}

// What is still needed, as people say it.
std::vector<std::string> Regrouper::Impl::Missing() const {
  std::vector<std::string> missing;
  for (const Group& group : groups) {
    std::vector<std::string> silent;
    for (uint8_t slot = 0; slot < 3; ++slot) {
      const ReplicaSlot place{static_cast<uint16_t>(group.id.value()), slot};
      if (!order->answers.contains(place)) silent.push_back(NumberText(place));
    }
    if (silent.size() < 2) continue;
    missing.push_back(fmt::format("2 of 3 replicas of group {} (no answer from {})",
                                  group.id.value(), fmt::join(silent, ", ")));
  }
  for (uint8_t slot = 0; slot < 3 && order->add; ++slot) {
    if (order->answers.contains({kNewcomers, slot})) continue;
    missing.push_back(fmt::format("the new replica at {}", (*order->add)[slot]));
  }
  return missing;
}

Status Regrouper::Impl::CheckNewcomers() const {
  for (uint8_t slot = 0; slot < 3; ++slot) {
    const StatusAnswer& answer = order->answers.at({kNewcomers, slot});
    const std::string& at = (*order->add)[slot];
    const int number = NumberOf(order->group, slot) + 1;
    const bool is_ours =
        answer.cluster == options.cluster && answer.incarnation == options.incarnation;
    if (!is_ours || answer.replica != number) {
      return Status::BadRequest(fmt::format(
          "the replica at {} is replica {} of incarnation {} in cluster {}; there should be "
          "replica {} of incarnation {} in cluster {}",
          at, answer.replica, answer.incarnation.value(), answer.cluster, number,
          options.incarnation.value(), options.cluster));
    }
    if (answer.recovering) {
      return Status::BadRequest(fmt::format(
          "the replica at {} was started with --replace: it waits to be restored; a new group "
          "begins with --new",
          at));
    }
    if (!answer.streams.empty()) {
      return Status::BadRequest(
          fmt::format("the replica at {} holds streams already: a new group begins with empty "
                      "disks",
                      at));
    }
  }
  return {};
}

// Once nothing is missing.
void Regrouper::Impl::Conclude() {
  if (order->changing || !Missing().empty()) return;
  ChangeRecord change;
  if (order->add) {
    if (Status refused = CheckNewcomers(); !refused.ok()) return End(refused, GroupId(0), false);
    change.add.emplace();
    change.add->endpoints = *order->add;
    for (uint8_t slot = 0; slot < 3; ++slot) {
      change.add->disks[slot] = order->answers.at({kNewcomers, slot}).disk;
    }
  } else {
    change.drain = order->group;
  }
  order->changing = true;
  effects->emplace_back(std::move(change));
}

void Regrouper::Impl::On(const RecordChanged& changed) {
  if (removing) {
    removing = false;
    if (!changed.status.ok()) {
      why_not = changed.status.message();
      settled.clear();
      look_at = now + options.look_every;
    }
    return;
  }
  CHECK(order && order->changing, "the record is changed when that was asked for");
  End(changed.status, order->group, changed.status.ok());
}

void Regrouper::Impl::On(RegrouperGroups& changed) {
  CHECK(changed.groups.size() == changed.endpoints.size(), "every group has its endpoints");
  groups = std::move(changed.groups);
  endpoints = std::move(changed.endpoints);
  last_group = changed.last_group;
  settled.clear();
  look.reset();
  look_at = now;
  why_not = "it was not looked at yet";
  if (!order || order->changing) return;
  order->answers.clear();  // of the groups as they were
  AskMembers();
}

// ---- a group that drains

const Group* Regrouper::Impl::Draining() const {
  const auto found = std::find_if(groups.begin(), groups.end(), [](const Group& group) {
    return group.state == GroupState::kDraining;
  });
  return found == groups.end() ? nullptr : &*found;
}

// In turn, so that one that has to wait does not keep the others from being looked at.
std::optional<StreamId> Regrouper::Impl::NextStream() const {
  std::optional<StreamId> first;
  for (const StreamId stream : options.streams) {
    if (settled.contains(stream)) continue;
    if (!last_looked || stream > *last_looked) return stream;
    if (!first) first = stream;
  }
  return first;
}

void Regrouper::Impl::BeginLook() {
  const std::optional<StreamId> stream = NextStream();
  if (!stream) return;
  last_looked = stream;
  look_at = now + options.look_every;
  look.emplace();
  look->begun = now;
  look->evidence.stream = *stream;
  const auto writer = writers.find(*stream);
  if (writer != writers.end()) {
    look->evidence.writer = writer->second.epoch;
    look->evidence.open = writer->second.open;
  }
  look->give_up_at = now + options.answer_within;
  for (const Group& group : groups) {
    if (group.id == Draining()->id) continue;
    for (uint8_t slot = 0; slot < 3; ++slot) {
      look->replicas[{static_cast<uint16_t>(group.id.value()), slot}];
    }
  }
  AskPages();
}

void Regrouper::Impl::AskPages() {
  look->ask_at = now + options.ask_every;
  for (const auto& [place, gathering] : look->replicas) {
    if (gathering.complete) continue;
    effects->emplace_back(RegrouperSend{place, Holdings{look->evidence.stream, gathering.next}});
  }
}

void Regrouper::Impl::OnHoldings(ReplicaSlot from, HoldingsAnswer& answer) {
  if (!look || answer.stream != look->evidence.stream || !IsMember(from, answer.disk)) return;
  const auto found = look->replicas.find(from);
  if (found == look->replicas.end()) return;
  Gathering& gathering = found->second;
  if (gathering.complete || answer.from != gathering.next) return;
  HeldStream& held = gathering.held;
  if (gathering.next == Seq(1)) {
    held.chain_epoch = answer.chain_epoch;
    held.committed = answer.committed;
    held.trimmed = answer.trimmed;
  }
  held.runs.insert(held.runs.end(), answer.runs.begin(), answer.runs.end());
  if (held.runs.size() > kRunsKeptMax) return;  // never complete: as one that does not answer
  look->give_up_at = now + options.answer_within;
  if (answer.through >= kSeqMax) {
    gathering.complete = true;
    look->evidence.held[answer.disk] = std::move(held);
  } else {
    gathering.next = answer.through + 1;
    effects->emplace_back(RegrouperSend{from, Holdings{answer.stream, gathering.next}});
  }
  const bool all = std::all_of(look->replicas.begin(), look->replicas.end(),
                               [](const auto& one) { return one.second.complete; });
  if (all) look->give_up_at = now;
}

// "" when all did.
std::string Regrouper::Impl::WithoutAnswer() const {
  std::vector<std::string> numbers;
  for (const auto& [place, gathering] : look->replicas) {
    if (!gathering.complete) numbers.push_back(NumberText(place));
  }
  if (numbers.empty()) return "";
  return fmt::format(" (replica {} did not tell all it holds)", fmt::join(numbers, ", "));
}

void Regrouper::Impl::Judge() {
  const std::string without = WithoutAnswer();
  // What was long is not begun again at once: replicas answer it while they serve.
  look_at = std::max(look_at, now + kLookPause * (now - look->begun));
  const StreamEvidence evidence = std::exchange(look, std::nullopt)->evidence;
  const GroupId going = Draining()->id;
  if (const auto why = WhyNotRetire(groups, going, {evidence})) {
    why_not = *why + without;
    return;
  }
  settled.insert(evidence.stream);
  look_at = now;
  if (settled.size() < options.streams.size()) return;
  removing = true;
  ChangeRecord change;
  change.remove = going;
  change.seen = groups;
  effects->emplace_back(std::move(change));
}

// ---- events

void Regrouper::Impl::On(RegrouperAnswer& received) {
  if (auto* holdings = std::get_if<HoldingsAnswer>(&received.answer)) {
    return OnHoldings(received.from, *holdings);
  }
  auto* status = std::get_if<StatusAnswer>(&received.answer);
  if (status == nullptr || !order || order->changing || status->nonce != order->nonce) return;
  const bool is_newcomer = received.from.group == kNewcomers && order->add;
  // One that takes no part yet takes no Fence either.
  const bool counts = is_newcomer || (IsMember(received.from, status->disk) &&
                                      !status->recovering && status->admitted);
  if (!counts) return;
  order->answers[received.from] = std::move(*status);
  Conclude();
}

void Regrouper::Impl::On(OpenWriters& known) {
  writers.clear();
  for (const OpenWriter& writer : known.writers) writers[writer.stream] = writer;
}

void Regrouper::Impl::ServeTimers() {
  if (order && !order->changing && order->give_up_at <= now) {
    End(Status::Unavailable(
            fmt::format("nothing was changed: it needs {}", fmt::join(Missing(), ", "))),
        GroupId(0), false);
  } else if (order && !order->changing && order->ask_at <= now) {
    AskMembers();
  }
  // One change of the record at a time.
  if (look && look->give_up_at <= now && !(order && order->changing)) Judge();
  if (look && look->ask_at <= now) AskPages();
  if (!look && !removing && Draining() != nullptr && look_at <= now) BeginLook();
}

// ---- Regrouper

Regrouper::Regrouper(RegrouperOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
Regrouper::~Regrouper() = default;

void Regrouper::Step(Instant now, RegrouperEvent event, std::vector<RegrouperEffect>* effects) {
  impl_->now = now;
  impl_->effects = effects;
  std::visit([&](auto& one) { impl_->On(one); }, event);
  impl_->ServeTimers();
  impl_->effects = nullptr;
}

std::optional<Instant> Regrouper::NextDeadline() const {
  std::optional<Instant> first;
  const auto add = [&](Instant deadline) { first = std::min(first.value_or(deadline), deadline); };
  if (impl_->order && !impl_->order->changing) {
    add(std::min(impl_->order->ask_at, impl_->order->give_up_at));
  }
  if (impl_->look) {
    add(std::min(impl_->look->ask_at, impl_->look->give_up_at));
  } else if (impl_->Draining() != nullptr && !impl_->removing) {
    add(impl_->look_at);
  }
  return first;
}

std::map<GroupId, std::string> Regrouper::WhyNotRetired() const {
  std::map<GroupId, std::string> reasons;
  const Group* next = impl_->Draining();
  for (const Group& group : impl_->groups) {
    if (group.state != GroupState::kDraining) continue;
    reasons[group.id] =
        &group == next ? impl_->why_not : fmt::format("group {} goes first", next->id.value());
  }
  return reasons;
}

}  // namespace homeport::quorum_queue
