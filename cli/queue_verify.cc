// homeport queue verify DIR: what of a replica's directory is intact, torn and corrupt.
#include <fmt/format.h>

#include <memory>

#include "cli/verbs.h"
#include "core/format.h"
#include "quorum_queue/log_verify.h"

namespace homeport::cli {
namespace {

using quorum_queue::VerifiedDamage;
using quorum_queue::VerifiedLog;
using quorum_queue::VerifiedSegment;
using quorum_queue::VerifiedStream;

std::string StreamName(const quorum_queue::Identity& identity, core::StreamId stream) {
  if (stream.incarnation() == identity.incarnation) {
    return fmt::format("{}/{}", identity.region, stream.shard());
  }
  return fmt::format("{}", stream);
}

Json DamageJson(const quorum_queue::Identity& identity, const VerifiedDamage& damage) {
  Json json;
  json["offset"] = damage.where.offset;
  if (damage.where.first.value() == 0) {
    json["part"] = "head";
  } else {
    json["part"] = damage.where.body_only ? "body" : "record";
    json["first_record"] = damage.where.first.value();
    json["last_record"] = damage.where.last.value();
  }
  if (damage.count > 0) {
    json["stream"] = StreamName(identity, damage.stream);
    json["first_seq"] = damage.first.value();
    json["last_seq"] = damage.first.value() + damage.count - 1;
  }
  json["what"] = damage.where.what;
  return json;
}

Json ToJson(const VerifiedLog& log) {
  const quorum_queue::Identity& identity = log.identity;
  Json json;
  json["intact"] = log.IsIntact();
  json["would_start"] = log.refusal.empty();
  if (!log.refusal.empty()) json["why_not"] = log.refusal;
  json["identity"] = {{"cluster", identity.cluster},
                      {"region", identity.region},
                      {"replica", identity.replica},
                      {"disk", fmt::format("{:016x}", identity.disk.value())}};
  json["segments"] = Json::array();
  for (const VerifiedSegment& segment : log.segments) {
    Json damage = Json::array();
    for (const VerifiedDamage& one : segment.damage) damage.push_back(DamageJson(identity, one));
    json["segments"].push_back({{"segment", segment.name},
                                {"first_record", segment.first_record},
                                {"records", segment.records},
                                {"bytes", segment.bytes},
                                {"torn_bytes", segment.torn_bytes},
                                {"damage", std::move(damage)}});
  }
  json["streams"] = Json::array();
  for (const VerifiedStream& stream : log.streams) {
    Json chain = Json::array();
    for (const quorum_queue::ChainLink& link : stream.chain) {
      chain.push_back({{"epoch", link.epoch.value()}, {"start", link.start.value()}});
    }
    json["streams"].push_back({{"stream", StreamName(identity, stream.stream)},
                               {"promised", stream.promised.value()},
                               {"chain", std::move(chain)},
                               {"committed", stream.committed.value()},
                               {"trimmed", stream.trimmed.value()},
                               {"last", stream.last.value()},
                               {"entries", stream.entries},
                               {"missing", stream.missing},
                               {"doubtful", stream.doubtful}});
  }
  return json;
}

void PrintTables(const VerifiedLog& log) {
  const quorum_queue::Identity& identity = log.identity;
  PrintLine(fmt::format("replica {} of {}, disk {:016x}", identity.replica, identity.region,
                        identity.disk.value()));
  Table segments({"SEGMENT", "RECORDS", "BYTES", "STATE"});
  for (const VerifiedSegment& segment : log.segments) {
    std::string state = segment.damage.empty() ? "intact" : "CORRUPT";
    if (segment.torn_bytes > 0) state += fmt::format(", torn tail of {} bytes", segment.torn_bytes);
    segments.Add({segment.name, FormatCount(segment.records), FormatCount(segment.bytes), state});
  }
  if (!segments.empty()) segments.Print();
  for (const VerifiedSegment& segment : log.segments) {
    for (const VerifiedDamage& damage : segment.damage) {
      std::string line = "corrupt: " + damage.where.what;
      if (damage.count > 0) {
        line += fmt::format("; it held entries {} to {} of {}", damage.first.value(),
                            damage.first.value() + damage.count - 1,
                            StreamName(identity, damage.stream));
      }
      PrintLine(line);
    }
  }
  Table streams({"STREAM", "PROMISED", "COMMITTED", "TRIMMED", "LAST", "ENTRIES", "MISSING", ""});
  for (const VerifiedStream& stream : log.streams) {
    streams.Add({StreamName(identity, stream.stream), std::to_string(stream.promised.value()),
                 std::to_string(stream.committed.value()), std::to_string(stream.trimmed.value()),
                 std::to_string(stream.last.value()), std::to_string(stream.entries),
                 std::to_string(stream.missing),
                 stream.doubtful ? "in doubt: no fence answered" : ""});
  }
  if (!streams.empty()) streams.Print();
  if (!log.refusal.empty()) PrintLine("the replica would not start: " + log.refusal);
}

int QueueVerify(const Globals& globals, const std::string& dir) {
  const auto log = quorum_queue::VerifyLog(dir);
  if (!log.ok()) {
    return PrintError("queue verify", log.status(),
                      log.status().code() == core::Code::kUnavailable
                          ? "name a replica's directory (with a file IDENTITY) and stop its process"
                          : "");
  }
  if (globals.format == Format::kJson) {
    PrintJson(ToJson(*log));
  } else {
    PrintTables(*log);
  }
  return log->IsIntact() ? kExitOk : kExitFailed;
}

}  // namespace

void AddQueueVerify(CommandLine& line, CLI::App* noun) {
  auto dir = std::make_shared<std::string>();
  CLI::App* command = line.Add(noun, "verify", "Check a replica's directory while nothing uses it",
                               [&line, dir] { return QueueVerify(line.globals, *dir); });
  command->add_option("directory", *dir, "The replica's directory")->required()->type_name("DIR");
}

}  // namespace homeport::cli
