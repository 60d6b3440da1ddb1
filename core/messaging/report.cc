#include "core/messaging/report.h"

#include <utility>

#include "core/codec.h"

namespace homeport::core {

void FillReport(const Report& report, wire::Report::Builder builder) {
  builder.setVersion(kReportVersion);
  auto positions = builder.initPositions(static_cast<unsigned>(report.positions.size()));
  for (unsigned i = 0; i < positions.size(); ++i) {
    const StreamPosition& from = report.positions[i];
    positions[i].setStream(from.stream.value());
    positions[i].setApplied(from.applied.value());
    positions[i].setConsumed(from.consumed.value());
  }
  auto away = builder.initAway(static_cast<unsigned>(report.away.size()));
  for (unsigned i = 0; i < away.size(); ++i) {
    const AwayRegion& from = report.away[i];
    away[i].setRegion(from.region.value());
    away[i].setStream(from.stream.value());
    away[i].setSince(from.since.value());
    away[i].setKept(from.kept.value());
  }
}

Result<std::optional<Report>> ReadReport(wire::Report::Reader reader, Incarnation of) {
  using Answer = Result<std::optional<Report>>;
  if (reader.getVersion() != kReportVersion) return Answer(std::nullopt);
  const auto positions = reader.getPositions();
  const auto away = reader.getAway();
  if (positions.size() > kReportPositionsMax || away.size() > kReportPositionsMax) {
    return Status::Corrupt("report of more streams than there can be");
  }
  Report report;
  for (const auto from : positions) {
    const StreamPosition position{StreamId::FromValue(from.getStream()), Seq(from.getApplied()),
                                  Seq(from.getConsumed())};
    if (position.consumed > position.applied) {
      return Status::Corrupt("report of more consumed than applied");
    }
    if (!report.positions.empty() && position.stream <= report.positions.back().stream) {
      return Status::Corrupt("report with its streams out of order");
    }
    report.positions.push_back(position);
  }
  for (const auto from : away) {
    const AwayRegion one{Incarnation(from.getRegion()), StreamId::FromValue(from.getStream()),
                         Seq(from.getSince()), Seq(from.getKept())};
    if (one.stream.incarnation() != of) {
      return Status::Corrupt("report that gives up on a region for another one's stream");
    }
    report.away.push_back(one);
  }
  return Answer(std::move(report));
}

std::string EncodeReport(const Report& report) {
  return Encode<wire::Report>([&](wire::Report::Builder out) { FillReport(report, out); });
}

std::optional<Report> DecodeReport(std::string_view bytes, Incarnation of) {
  std::optional<Report> report;
  const Status status = Decode<wire::Report>(bytes, [&](wire::Report::Reader in) -> Status {
    ASSIGN_OR_RETURN(report, ReadReport(in, of));
    return {};
  });
  if (!status.ok()) return std::nullopt;
  return report;
}

}  // namespace homeport::core
