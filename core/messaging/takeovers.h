// Takeovers: which incarnations are dead, who goes on for them, and how much of their streams
// counts. The one place that says who is home once regions have died.
//
// A takeover is learned once, in the order of its number; nothing of it ever changes.
//
// Invariants:
//  (1) takeovers are numbered 1, 2, 3 ... without a gap
//  (2) an incarnation dies once, and an heir was alive when it took over; so heirs form no circle
//
// Pure values. Design section 6, rules 2 and 3; docs/takeover.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/messaging/account.h"
#include "core/messaging/messaging.capnp.h"
#include "core/status.h"
#include "core/store.h"

namespace homeport::core {

// Of one cluster, for ever.
inline constexpr size_t kTakeoversMax = 1024;
inline constexpr Seq kNoCut = Seq(UINT64_MAX);

// The last entry of a dead stream that counts; 0: none does.
struct Cut {
  StreamId stream;
  Seq last;
  bool operator==(const Cut&) const = default;
};
struct Takeover {
  uint32_t number = 0;            // E
  std::vector<Incarnation> dead;  // ascending
  Incarnation heir;
  std::vector<Cut> cuts;  // by stream, ascending
  bool operator==(const Takeover&) const = default;

  bool Kills(Incarnation region) const;
  Seq CutOf(StreamId stream) const;  // 0 when it is not named
};

class Takeovers {
 public:
  // kBadRequest when it may not follow those that are known: the sentence says why.
  Status Learn(Takeover takeover);

  uint32_t count() const { return static_cast<uint32_t>(all_.size()); }
  const std::vector<Takeover>& all() const { return all_; }
  // The takeover in which it died; nullptr: it is alive.
  const Takeover* DeathOf(Incarnation region) const;
  bool IsDead(Incarnation region) const { return DeathOf(region) != nullptr; }
  // Who acts for `region` now: itself while it is alive.
  Incarnation HeirOf(Incarnation region) const;
  // kNoCut while its region is alive.
  Seq CutOf(StreamId stream) const;
  // Where a record, or an address, that names this home is served now, and with which epoch.
  HomeOf HomeNow(HomeOf recorded) const;
  // The first `count` of them.
  Takeovers Prefix(uint32_t count) const;
  bool operator==(const Takeovers&) const = default;

 private:
  std::vector<Takeover> all_;
};

// ---- bytes

void FillTakeover(const Takeover& takeover, wire::Takeover::Builder builder);
// kCorrupt when it is none, whoever wrote it. Throws kj::Exception when it is malformed: call it
// within Decode.
Result<Takeover> ReadTakeover(wire::Takeover::Reader reader);
std::string EncodeTakeovers(const Takeovers& takeovers);
std::optional<Takeovers> DecodeTakeovers(std::string_view bytes);

// ---- rows

// All that this region has learned.
Takeovers LoadTakeovers(const StoreView& store);
// The number of the last one with this region as heir whose entry this shard has applied; 0: none.
uint32_t TakenBy(const StoreView& store, ShardId shard);
// What a shard of `self` may act by: those of `known` before the first one that makes `self` an
// heir and that the shard has not taken.
Takeovers VisibleTo(const Takeovers& known, Incarnation self, uint32_t taken);

}  // namespace homeport::core
