// Operations: what operators ordered of whole regions, and the journal of what they did.
//
// Rows of shard 0. Each region writes rows of its own only, and all are replicated: an order that
// was given to several regions, because one may be out of reach, has a row by each. Which order of
// a kind counts for a region is then decided alike everywhere: that with the highest number.
//
// Pure values. docs/mastership.md, "Orders".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/status.h"
#include "core/store.h"

namespace homeport::core {

enum class RegionOrder : uint8_t {
  kDrain = 1,  // it takes no new users, and those it has are moved away
  kBlock = 2,  // nobody sends clients there, and it serves none
};
std::string_view OrderName(RegionOrder order);  // "drain", "block"

struct RegionState {
  Incarnation region;
  RegionOrder order = RegionOrder::kDrain;
  bool on = false;
  uint64_t number = 0;               // of this region's orders of the kind, ascending
  std::string by = {};               // "ann@ops1"
  int64_t at_ms = 0;                 // by the clock of who ordered
  std::vector<Incarnation> to = {};  // drain: the new homes
  Incarnation writer = {};           // the region whose row it is

  // The same order, whoever wrote it down.
  bool SameOrder(const RegionState& other) const;
  // It was given before `other`, which counts.
  bool IsBefore(const RegionState& other) const;
};
// kBadRequest, kTooLarge: no such order can be.
Status CheckRegionState(const RegionState& state);
// "sh is being drained to hk, ca by ann@ops1 since 2026-...": `name` and `to` as people know them.
std::string DescribeState(const RegionState& state, const std::string& name, const std::string& to);

std::string EncodeRegionState(const RegionState& state);
std::optional<RegionState> DecodeRegionState(std::string_view bytes);

// Of each region and kind the one that counts, by region and kind, ascending.
std::vector<RegionState> LoadRegionStates(const StoreView& store);
// The same from what several regions know. nullptr: nothing was ever ordered.
const RegionState* FindState(const std::vector<RegionState>& states, Incarnation region,
                             RegionOrder order);
void MergeState(RegionState state, std::vector<RegionState>* states);

// ---- the journal

enum class JournalState : uint8_t { kRunning = 0, kDone = 1, kStopped = 2, kFailed = 3 };
std::string_view JournalStateName(JournalState state);  // "running"

struct JournalCount {
  std::string name;  // "moved"
  uint64_t count = 0;
  bool operator==(const JournalCount&) const = default;
};
struct JournalRecord {
  uint64_t id = 0;      // random, by who asks: writing it again changes the same record
  uint64_t number = 0;  // what people call it; given at the first writing
  Incarnation writer = {};
  std::string kind = {};     // "drain"
  std::string what = {};     // "sh --to hk,ca"
  std::string by = {};       // "ann@ops1"
  std::string program = {};  // "homeport 0.1.0"
  Incarnation region = {};   // which it was about; 0: none
  int64_t begun_at_ms = 0;
  int64_t changed_at_ms = 0;
  JournalState state = JournalState::kRunning;
  std::vector<JournalCount> counts = {};
  std::vector<std::string> lines = {};
  bool operator==(const JournalRecord&) const = default;
};
inline constexpr size_t kJournalMax = 1000;  // records of one region; the oldest go
inline constexpr size_t kJournalWhatMax = 1024;
inline constexpr size_t kJournalCountsMax = 32;
inline constexpr size_t kJournalLinesMax = 64;
inline constexpr size_t kJournalPageMax = 100;
Status CheckJournal(const JournalRecord& record);

std::string EncodeJournal(const JournalRecord& record);
std::optional<JournalRecord> DecodeJournal(std::string_view bytes);

struct JournalPlace {
  Incarnation writer;
  uint64_t id = 0;
  bool operator==(const JournalPlace&) const = default;
};
// Records after a place, in no order that means anything, at most kJournalPageMax. *next: where the
// following page begins after; nullopt: there is none.
std::vector<JournalRecord> ListJournal(const StoreView& store, JournalPlace after,
                                       std::optional<JournalPlace>* next);

}  // namespace homeport::core
