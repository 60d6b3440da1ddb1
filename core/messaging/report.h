// Report: what a region's store has on its disk, told to all regions in the region's own stream. By
// the reports of all regions each one knows what it may trim (docs/replication.md, "Trim").
//
// Pure values.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/ids.h"
#include "core/messaging/messaging.capnp.h"
#include "core/status.h"

namespace homeport::core {

inline constexpr uint16_t kReportVersion = 1;
inline constexpr size_t kReportPositionsMax = kRegionsMax * kShardsMax;

struct StreamPosition {
  StreamId stream;
  Seq applied;   // every entry up to here is applied, on disk
  Seq consumed;  // <= applied; every intent up to here for any shard of the region is consumed
  bool operator==(const StreamPosition&) const = default;
};
// A region that the reporting one no longer waits for before it trims `stream`, one of its own.
struct AwayRegion {
  Incarnation region;
  StreamId stream;
  Seq since;  // it counts again once its own report has come here
  Seq kept;   // up to here, the intents for it that it had not consumed are rows of table `kept`
  bool operator==(const AwayRegion&) const = default;
};
struct Report {
  std::vector<StreamPosition> positions;  // by stream, ascending
  std::vector<AwayRegion> away;           // by stream and region, ascending
  bool operator==(const Report&) const = default;
};

void FillReport(const Report& report, wire::Report::Builder builder);
// nullopt: of a later version. kCorrupt when it is no report of region `of`. Throws kj::Exception
// when it is malformed: call it within Decode.
Result<std::optional<Report>> ReadReport(wire::Report::Reader reader, Incarnation of);

// As a row of its own.
std::string EncodeReport(const Report& report);
std::optional<Report> DecodeReport(std::string_view bytes, Incarnation of);

}  // namespace homeport::core
