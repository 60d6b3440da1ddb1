#include "core/messaging/takeovers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/codec.h"
#include "core/config.h"
#include "core/messaging/keys.h"
#include "core/messaging/rows.h"

namespace homeport::core {

bool Takeover::Kills(Incarnation region) const {
  return std::binary_search(dead.begin(), dead.end(), region);
}

Seq Takeover::CutOf(StreamId stream) const {
  const auto at =
      std::lower_bound(cuts.begin(), cuts.end(), stream,
                       [](const Cut& cut, StreamId wanted) { return cut.stream < wanted; });
  return at != cuts.end() && at->stream == stream ? at->last : Seq(0);
}

Status Takeovers::Learn(Takeover takeover) {
  const auto refuse = [&](std::string why) {
    return Status::BadRequest(fmt::format("takeover {}: {}", takeover.number, why));
  };
  if (all_.size() >= kTakeoversMax) return refuse("a cluster has no more than 1024");
  if (takeover.number != count() + 1) return refuse(fmt::format("{} are known", count()));
  if (takeover.dead.empty()) return refuse("nobody is dead");
  if (takeover.Kills(takeover.heir)) return refuse("the heir is dead");
  if (IsDead(takeover.heir)) return refuse("the heir died before");
  for (const Incarnation dead : takeover.dead) {
    if (IsDead(dead)) return refuse(fmt::format("incarnation {} died before", dead.value()));
  }
  for (const Cut& cut : takeover.cuts) {
    if (!takeover.Kills(cut.stream.incarnation())) return refuse("a cut of a live stream");
  }
  all_.push_back(std::move(takeover));
  return {};
}

const Takeover* Takeovers::DeathOf(Incarnation region) const {
  for (const Takeover& takeover : all_) {
    if (takeover.Kills(region)) return &takeover;
  }
  return nullptr;
}

Incarnation Takeovers::HeirOf(Incarnation region) const {
  while (const Takeover* death = DeathOf(region)) region = death->heir;
  return region;
}

Seq Takeovers::CutOf(StreamId stream) const {
  const Takeover* death = DeathOf(stream.incarnation());
  return death == nullptr ? kNoCut : death->CutOf(stream);
}

HomeOf Takeovers::HomeNow(HomeOf recorded) const {
  while (const Takeover* death = DeathOf(recorded.home)) {
    recorded.home = death->heir;
    if (recorded.epoch.takeover < death->number) {
      recorded.epoch = {death->number, 0};
    } else {
      ++recorded.epoch.move;
    }
  }
  return recorded;
}

Takeovers Takeovers::Prefix(uint32_t count) const {
  Takeovers first;
  first.all_.assign(all_.begin(), all_.begin() + std::min(count, this->count()));
  return first;
}

// ---- bytes

void FillTakeover(const Takeover& takeover, wire::Takeover::Builder builder) {
  builder.setNumber(takeover.number);
  builder.setHeir(takeover.heir.value());
  auto dead = builder.initDead(static_cast<unsigned>(takeover.dead.size()));
  for (unsigned i = 0; i < dead.size(); ++i) dead.set(i, takeover.dead[i].value());
  auto cuts = builder.initCuts(static_cast<unsigned>(takeover.cuts.size()));
  for (unsigned i = 0; i < cuts.size(); ++i) {
    cuts[i].setStream(takeover.cuts[i].stream.value());
    cuts[i].setSeq(takeover.cuts[i].last.value());
  }
}

Result<Takeover> ReadTakeover(wire::Takeover::Reader reader) {
  const auto dead = reader.getDead();
  const auto cuts = reader.getCuts();
  if (dead.size() > kRegionsMax || cuts.size() > kRegionsMax * kShardsMax) {
    return Status::Corrupt("takeover of more regions than there can be");
  }
  Takeover takeover;
  takeover.number = reader.getNumber();
  takeover.heir = Incarnation(reader.getHeir());
  for (const uint16_t one : dead) takeover.dead.emplace_back(one);
  for (const auto cut : cuts) {
    takeover.cuts.push_back({StreamId::FromValue(cut.getStream()), Seq(cut.getSeq())});
  }
  const bool ascend =
      std::is_sorted(takeover.dead.begin(), takeover.dead.end()) &&
      std::is_sorted(takeover.cuts.begin(), takeover.cuts.end(),
                     [](const Cut& a, const Cut& b) { return a.stream < b.stream; });
  if (!ascend) return Status::Corrupt("takeover with its parts out of order");
  return takeover;
}

std::string EncodeTakeovers(const Takeovers& takeovers) {
  return Encode<wire::Takeovers>([&](wire::Takeovers::Builder out) {
    out.setVersion(kRowVersion);
    auto all = out.initAll(takeovers.count());
    for (unsigned i = 0; i < all.size(); ++i) FillTakeover(takeovers.all()[i], all[i]);
  });
}

std::optional<Takeovers> DecodeTakeovers(std::string_view bytes) {
  Takeovers takeovers;
  const Status status = Decode<wire::Takeovers>(bytes, [&](wire::Takeovers::Reader in) -> Status {
    if (in.getVersion() != kRowVersion) return Status::BadRequest("unknown row version");
    for (const auto one : in.getAll()) {
      ASSIGN_OR_RETURN(Takeover takeover, ReadTakeover(one));
      RETURN_IF_ERROR(takeovers.Learn(std::move(takeover)));
    }
    return {};
  });
  if (!status.ok()) return std::nullopt;
  return takeovers;
}

// ---- rows

Takeovers LoadTakeovers(const StoreView& store) {
  const std::optional<std::string> bytes = store.Get(TakeoversKey());
  if (!bytes.has_value()) return {};
  std::optional<Takeovers> takeovers = DecodeTakeovers(*bytes);
  CHECK(takeovers.has_value(), "takeovers are written in this format", bytes->size());
  return std::move(*takeovers);
}

uint32_t TakenBy(const StoreView& store, ShardId shard) {
  return static_cast<uint32_t>(ReadNumber(store, TakenKey(shard)));
}

Takeovers VisibleTo(const Takeovers& known, Incarnation self, uint32_t taken) {
  const auto first = std::find_if(known.all().begin(), known.all().end(), [&](const Takeover& one) {
    return one.heir == self && one.number > taken;
  });
  return first == known.all().end() ? known : known.Prefix(first->number - 1);
}

}  // namespace homeport::core
