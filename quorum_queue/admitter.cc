#include "quorum_queue/admitter.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/check.h"
#include "quorum_queue/planted.h"

namespace homeport::quorum_queue {

using core::Instant;

struct Admitter::Impl {
  explicit Impl(AdmitterOptions o) : options(std::move(o)) {
    for (const DiskLife& one : options.lives) lives[one.disk] = one;
    stored = lives;
  }

  struct Replica {
    uint64_t heard = 0;     // questions with higher nonces were put after its last answer came
    bool answered = false;  // since the last look
    bool gives_up = false;  // was told to
    ReplicaLife state = ReplicaLife::kSilent;
    Life proposed;
  };
  struct Verdict {
    ReplicaSlot to;
    Admit admit;
  };

  void On(LifeAnswered& answered);
  void On(const AdmitterTick&) {}
  void On(AdmitterGroups& changed);
  void On(const LivesStored& done);
  void OnKnown(ReplicaSlot from, const LifeAnswer& answer);
  void GiveUpAmnesiacs(uint16_t group);
  void Become(ReplicaSlot slot, ReplicaLife state);
  void Tell(ReplicaSlot to, const LifeAnswer& answer, Admission admission);
  void Send(ReplicaSlot to, Admit admit);
  void Ask(ReplicaSlot to);
  void Look();
  void Store();

  DiskId DiskOf(ReplicaSlot slot) const { return groups[slot.group].disks[slot.slot]; }
  void Note(ReplicaSlot slot, AdmissionNote note) {
    effects->emplace_back(AdmitterNote{slot, DiskOf(slot), note});
  }

  const AdmitterOptions options;
  std::vector<Group> groups;
  std::map<ReplicaSlot, Replica> replicas;
  std::map<DiskId, DiskLife> lives;   // as they should be stored
  std::map<DiskId, DiskLife> stored;  // as they surely are, but for a write that failed
  std::vector<Verdict> after_store;   // wait for the next write
  std::vector<Verdict> storing;       // wait for the one under way
  std::optional<std::map<DiskId, DiskLife>> write;  // under way
  uint64_t last_nonce = 0;
  Instant due{};
  Instant store_due{};

  // The Step under way.
  Instant now{};
  std::vector<AdmitterEffect>* effects = nullptr;
};

// ---- events

void Admitter::Impl::On(AdmitterGroups& changed) {
  const std::vector<Group> before = std::exchange(groups, std::move(changed.groups));
  std::map<DiskId, DiskLife> kept;
  std::map<ReplicaSlot, Replica> still;
  for (uint16_t g = 0; g < groups.size(); ++g) {
    for (uint8_t slot = 0; slot < 3; ++slot) {
      const DiskId disk = groups[g].disks[slot];
      if (const auto life = lives.find(disk); life != lives.end()) kept.insert(*life);
      Replica& replica = still[{g, slot}];
      if (g < before.size() && before[g].disks[slot] == disk) replica = replicas[{g, slot}];
      // A place may be another replica's than before: what was asked there does not count.
      replica.heard = last_nonce;
    }
  }
  lives = std::move(kept);
  replicas = std::move(still);
  // They may name places that are other replicas' now; all are asked again.
  after_store.clear();
  storing.clear();
  due = now;
}

void Admitter::Impl::On(const LivesStored& done) {
  CHECK(write, "what was stored was asked for");
  const std::vector<Verdict> told = std::exchange(storing, {});
  if (done.ok) {
    stored = std::move(*write);
    for (const Verdict& verdict : told) Send(verdict.to, verdict.admit);
  }
  write.reset();
}

void Admitter::Impl::On(LifeAnswered& answered) {
  const ReplicaSlot from = answered.from;
  const LifeAnswer& answer = answered.answer;
  if (from.group >= groups.size() || from.slot >= 3 || answer.disk != DiskOf(from)) return;
  Replica& replica = replicas[from];
  if (answer.nonce <= replica.heard || answer.nonce > last_nonce) return;
  replica.heard = last_nonce;
  replica.answered = true;
  replica.proposed = answer.proposed;
  const auto known = lives.find(answer.disk);
  const LifeVerdict verdict = known == lives.end()
                                  ? LifeVerdict::kKnown
                                  : JudgeLife(known->second, answer.life, answer.record);
  switch (verdict) {
    case LifeVerdict::kKnown:
      OnKnown(from, answer);
      break;
    case LifeVerdict::kAmnesiac:
      Become(from, ReplicaLife::kAmnesiac);
      break;
    case LifeVerdict::kStoreIsOlder:
      Become(from, ReplicaLife::kStoreIsOlder);
      break;
  }
  GiveUpAmnesiacs(from.group);
}

void Admitter::Impl::OnKnown(ReplicaSlot from, const LifeAnswer& answer) {
  DiskLife& life = lives[answer.disk];
  life.disk = answer.disk;
  life.admitted = answer.life;
  life.mark = answer.record;
  if (answer.admitted) {
    life.offered = Life();
    Become(from, answer.recovering ? ReplicaLife::kRecovering : ReplicaLife::kTakesPart);
    return;
  }
  Become(from, ReplicaLife::kWaiting);
  const bool remembered = answer.life == answer.proposed;
  life.offered = remembered ? Life() : answer.proposed;
  Tell(from, answer, remembered ? Admission::kAdmitted : Admission::kOffered);
}

// ---- what is done

void Admitter::Impl::Become(ReplicaSlot slot, ReplicaLife state) {
  Replica& replica = replicas[slot];
  const ReplicaLife before = std::exchange(replica.state, state);
  if (before == state) return;
  if (state == ReplicaLife::kTakesPart) Note(slot, AdmissionNote::kAdmitted);
  if (state == ReplicaLife::kAmnesiac) Note(slot, AdmissionNote::kAmnesiac);
  if (state == ReplicaLife::kStoreIsOlder) Note(slot, AdmissionNote::kStoreIsOlder);
}

void Admitter::Impl::GiveUpAmnesiacs(uint16_t group) {
  for (uint8_t slot = 0; slot < 3; ++slot) {
    const ReplicaSlot amnesiac{group, slot};
    Replica& replica = replicas[amnesiac];
    if (replica.state != ReplicaLife::kAmnesiac) continue;
    // In this look: both may have been put back since the one before.
    const auto takes_part = [&](int by) {
      const ReplicaSlot place{group, static_cast<uint8_t>((slot + by) % 3)};
      const Replica& other = replicas[place];
      return other.answered && other.state == ReplicaLife::kTakesPart;
    };
    if (!takes_part(1) || !takes_part(2)) continue;
    if (!std::exchange(replica.gives_up, true)) Note(amnesiac, AdmissionNote::kGivesUp);
    Send(amnesiac, Admit{0, DiskOf(amnesiac), replica.proposed, Admission::kAmnesiac});
  }
}

// Once it is stored; at once when it is already.
void Admitter::Impl::Tell(ReplicaSlot to, const LifeAnswer& answer, Admission admission) {
  const Admit admit{0, answer.disk, answer.proposed, admission};
  const auto known = stored.find(answer.disk);
  const bool is_stored = !write && known != stored.end() && known->second == lives[answer.disk];
  if (is_stored || HOMEPORT_PLANTED("admitted-before-stored")) {
    Send(to, admit);
  } else {
    after_store.push_back({to, admit});
  }
}

void Admitter::Impl::Send(ReplicaSlot to, Admit admit) {
  admit.nonce = ++last_nonce;
  effects->emplace_back(AdmitterSend{to, admit});
}

void Admitter::Impl::Ask(ReplicaSlot to) {
  Replica& replica = replicas[to];
  if (!std::exchange(replica.answered, false)) replica.state = ReplicaLife::kSilent;
  effects->emplace_back(AdmitterSend{to, AskLife{++last_nonce}});
}

void Admitter::Impl::Look() {
  bool all = true;
  for (uint16_t g = 0; g < groups.size(); ++g) {
    for (uint8_t slot = 0; slot < 3; ++slot) {
      Ask({g, slot});
      all &= replicas[{g, slot}].state == ReplicaLife::kTakesPart;
    }
  }
  due = now + (all ? options.look_every : options.look_again);
}

void Admitter::Impl::Store() {
  if (write) return;
  const bool marks = store_due <= now && lives != stored;
  if (after_store.empty() && !marks) return;
  store_due = now + options.look_every;
  storing = std::exchange(after_store, {});
  write = lives;
  StoreLives effect;
  for (const auto& [disk, life] : lives) effect.lives.push_back(life);
  effects->emplace_back(std::move(effect));
}

// ---- Admitter

Admitter::Admitter(AdmitterOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Admitter::~Admitter() = default;

void Admitter::Step(Instant now, AdmitterEvent event, std::vector<AdmitterEffect>* effects) {
  Impl& a = *impl_;
  a.now = now;
  a.effects = effects;
  std::visit([&](auto& one) { a.On(one); }, event);
  if (!a.groups.empty() && a.due <= now) a.Look();
  a.Store();
  a.effects = nullptr;
}

std::optional<Instant> Admitter::NextDeadline() const {
  if (impl_->groups.empty()) return std::nullopt;
  return impl_->due;
}

ReplicaLife Admitter::StateOf(ReplicaSlot replica) const {
  const auto found = impl_->replicas.find(replica);
  return found == impl_->replicas.end() ? ReplicaLife::kSilent : found->second.state;
}

}  // namespace homeport::quorum_queue
