// homeport queue inspect | dump: the entries of a stream, decoded or as they are.
#include <fmt/format.h>

#include <cstdio>
#include <limits>
#include <map>
#include <memory>

#include "cli/queue.h"
#include "core/clock.h"
#include "core/messaging/describe.h"
#include "core/messaging/entry.h"
#include "quorum_queue/grants.h"
#include "quorum_queue/queue_reader.h"

namespace homeport::cli {
namespace {

using core::EntryDescription;
using core::Seq;
using quorum_queue::Entry;

constexpr std::chrono::seconds kTimeout{10};
constexpr core::Duration kTurn = std::chrono::milliseconds(100);

struct Options {
  std::string stream;
  uint64_t from = 0;  // 0: the first that is kept
  uint64_t count = 20;
  uint64_t to = 0;  // 0: all that is committed
  std::string out;  // empty: stdout
};

// Gives `each` the entries from `from` to `to`, or to the last that is committed. False from `each`
// ends it.
Status ReadEntries(const Globals& globals, const NamedStream& stream, Seq from, Seq to,
                   const std::function<bool(const Entry&)>& each) {
  core::Context context;
  quorum_queue::QueueReaderOptions options;
  options.reader.stream = stream.id;
  options.reader.from = std::max(from, Seq(1));
  options.reader.silent_after = std::chrono::milliseconds(500);
  options.replicas = ReplicasOf(*stream.region);
  ASSIGN_OR_RETURN(auto reader, quorum_queue::QueueReader::Open(context, options));
  const core::Duration within = TimeoutOf(globals, kTimeout);
  core::Instant give_up = core::SteadyNow() + within;
  while (reader->Status().next <= to) {
    auto entries = reader->Next(kTurn);
    if (!entries.ok() && entries.status().code() == core::Code::kTrimmed && from == Seq(0)) {
      options.reader.from = from = Seq(entries.status().detail());
      ASSIGN_OR_RETURN(reader, quorum_queue::QueueReader::Open(context, options));
      continue;
    }
    RETURN_IF_ERROR(entries.status());
    for (const Entry& entry : *entries) {
      if (entry.seq > to || !each(entry)) return {};
    }
    const quorum_queue::ReaderStatus status = reader->Status();
    if (status.heard && status.next > status.committed) return {};
    if (!entries->empty()) give_up = core::SteadyNow() + within;
    if (core::SteadyNow() >= give_up) {
      return Status::Unavailable(
          fmt::format("no replica of {} gives entry {}", stream.region->name, status.next.value()));
    }
  }
  return {};
}

std::string StreamNameOf(const ClusterConfig& config, core::StreamId stream) {
  const auto* region = config.FindRegion(stream.incarnation());
  const std::string name = region != nullptr
                               ? region->name
                               : fmt::format("incarnation-{}", stream.incarnation().value());
  return fmt::format("{}/{}", name, stream.shard().value());
}

std::string RegionName(const ClusterConfig& config, core::Incarnation incarnation) {
  const auto* region = config.FindRegion(incarnation);
  return region != nullptr ? region->name : std::to_string(incarnation.value());
}

Json ToJson(core::MastershipEpoch epoch) {
  return {{"takeover", epoch.takeover}, {"move", epoch.move}};
}

Json UinsJson(const std::vector<core::Uin>& uins) {
  Json json = Json::array();
  for (const core::Uin uin : uins) json.push_back(std::to_string(uin.value()));
  return json;
}

Json ToJson(const core::EffectDescription& effect) {
  if (effect.table == "fanout") {
    return {{"effect", "fanout"},
            {"epoch", ToJson(effect.stamp.epoch)},
            {"users", UinsJson(effect.users)},
            {"value_bytes", effect.value_bytes}};
  }
  if (effect.table == "trim") {
    return {{"effect", "trim"},
            {"epoch", ToJson(effect.stamp.epoch)},
            {"version", std::to_string(effect.stamp.version.value())},
            {"users", UinsJson(effect.users)}};
  }
  return {{"effect", effect.deleted ? "delete" : "put"},
          {"table", effect.table.empty() ? Json(nullptr) : Json(effect.table)},
          {"key_base64", Base64(effect.key)},
          {"epoch", ToJson(effect.stamp.epoch)},
          {"version", std::to_string(effect.stamp.version.value())},
          {"value_bytes", effect.value_bytes}};
}

Json ToJson(const ClusterConfig& config, const core::IntentDescription& intent) {
  Json json = {{"intent", intent.kind.empty() ? Json(nullptr) : Json(intent.kind)}};
  if (intent.kind == "fanout") {
    json["group"] = std::to_string(intent.group.value());
    json["group_seq"] = intent.group_seq;
  } else if (intent.kind == "contact") {
    json["sender"] = std::to_string(intent.sender.value());
  } else {
    json["message"] = std::to_string(intent.message.value());
    json["sender"] = std::to_string(intent.sender.value());
    json["body_bytes"] = intent.body_bytes;
  }
  json["targets"] = Json::array();
  for (const core::TargetDescription& target : intent.targets) {
    json["targets"].push_back({{"region", RegionName(config, target.incarnation)},
                               {"shard", target.shard.value()},
                               {"epoch", ToJson(target.epoch)},
                               {"users", UinsJson(target.users)}});
  }
  return json;
}

Json ToJson(const ClusterConfig& config, const Entry& entry,
            const Result<EntryDescription>& described) {
  Json json = {{"seq", entry.seq.value()},
               {"epoch", std::to_string(entry.epoch.value())},
               {"bytes", entry.payload.size()}};
  if (!described.ok()) {
    json["kind"] = "unknown";
    json["why"] = described.status().message();
    return json;
  }
  json["kind"] = described->open ? "open" : "entry";
  if (described->open) return json;
  json["written_at"] = FormatTime(described->written_at.count());
  json["effects"] = Json::array();
  for (const auto& effect : described->effects) json["effects"].push_back(ToJson(effect));
  json["intents"] = Json::array();
  for (const auto& intent : described->intents) json["intents"].push_back(ToJson(config, intent));
  json["cursors"] = Json::array();
  for (const core::CursorDescription& cursor : described->cursors) {
    json["cursors"].push_back(
        {{"role", RegionName(config, cursor.role)},
         {"stream", StreamNameOf(config, cursor.source)},
         {"seq", cursor.seq.value()},
         {"index", cursor.index == core::kWholeEntry ? Json(nullptr) : Json(cursor.index)}});
  }
  if (described->ids_through > 0) json["ids_through"] = std::to_string(described->ids_through);
  return json;
}

std::string Counted(const std::map<std::string, uint64_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
  }
  return text;
}

std::vector<std::string> RowOf(const ClusterConfig& config, const Entry& entry,
                               const Result<EntryDescription>& described) {
  std::vector<std::string> row = {
      std::to_string(entry.seq.value()),
      std::to_string(entry.epoch.value() >> quorum_queue::kEpochRandomBits),
      FormatCount(entry.payload.size())};
  if (!described.ok() || described->open) {
    row.push_back(described.ok() ? "open" : "unknown");
    row.insert(row.end(), 4, "");
    return row;
  }
  std::map<std::string, uint64_t> effects, intents;
  for (const auto& effect : described->effects) {
    const std::string name = effect.table.empty() ? "unknown" : effect.table;
    ++effects[effect.deleted ? name + " deleted" : name];
  }
  for (const auto& intent : described->intents) {
    ++intents[intent.kind.empty() ? "unknown" : intent.kind];
  }
  std::string cursors;
  for (const core::CursorDescription& cursor : described->cursors) {
    cursors += fmt::format("{}{} to {}", cursors.empty() ? "" : ", ",
                           StreamNameOf(config, cursor.source), cursor.seq.value());
  }
  row.push_back("entry");
  row.push_back(FormatTime(described->written_at.count()));
  row.push_back(Counted(effects));
  row.push_back(Counted(intents));
  row.push_back(cursors);
  return row;
}

int Inspect(const Globals& globals, const Options& options) {
  const auto config = LoadCluster(globals);
  if (!config.ok()) return PrintError("queue inspect", config.status());
  const auto stream = ParseStream(*config, options.stream);
  if (!stream.ok()) return PrintError("queue inspect", stream.status());
  Json json = {{"stream", stream->name}, {"entries", Json::array()}};
  Table table({"SEQ", "EPOCH", "BYTES", "KIND", "WRITTEN", "EFFECTS", "INTENTS", "CURSORS"});
  uint64_t left = options.count;
  const Status status =
      ReadEntries(globals, *stream, Seq(options.from), Seq(std::numeric_limits<uint64_t>::max()),
                  [&](const Entry& entry) {
                    const auto described = core::DescribeEntry(stream->id, entry.payload.view());
                    if (globals.format == Format::kJson) {
                      json["entries"].push_back(ToJson(*config, entry, described));
                    } else {
                      table.Add(RowOf(*config, entry, described));
                    }
                    return --left > 0;
                  });
  if (!status.ok()) return PrintError("queue inspect", status);
  if (globals.format == Format::kJson) {
    PrintJson(json);
  } else {
    table.Print();
  }
  return kExitOk;
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

int Dump(const Globals& globals, const Options& options) {
  const auto config = LoadCluster(globals);
  if (!config.ok()) return PrintError("queue dump", config.status());
  const auto stream = ParseStream(*config, options.stream);
  if (!stream.ok()) return PrintError("queue dump", stream.status());
  std::unique_ptr<std::FILE, CloseFile> file;
  if (!options.out.empty()) {
    file.reset(std::fopen(options.out.c_str(), "wx"));
    if (!file) {
      return PrintError("queue dump", Status::Io(fmt::format(
                                          "cannot make {}; it must not exist yet", options.out)));
    }
  }
  std::FILE* const out = file ? file.get() : stdout;
  uint64_t entries = 0;
  Status status =
      ReadEntries(globals, *stream, Seq(options.from),
                  Seq(options.to == 0 ? std::numeric_limits<uint64_t>::max() : options.to),
                  [&](const Entry& entry) {
                    const Json json = {{"stream", stream->name},
                                       {"seq", entry.seq.value()},
                                       {"epoch", std::to_string(entry.epoch.value())},
                                       {"base64", Base64(entry.payload.view())}};
                    fmt::print(out, "{}\n", json.dump());
                    ++entries;
                    return true;
                  });
  if (status.ok() && (std::fflush(out) != 0 || std::ferror(out) != 0)) {
    status = Status::Io("the output could not be written whole; is the disk full?");
  }
  if (!status.ok()) return PrintError("queue dump", status);
  Say(fmt::format("{} entries of {}", FormatCount(entries), stream->name));
  return kExitOk;
}

void AddStreamAndFrom(CLI::App* command, const std::shared_ptr<Options>& options) {
  command->add_option("stream", options->stream, "region/shard, as in sh/3")
      ->required()
      ->type_name("STREAM");
  command->add_option("--from", options->from, "First entry; without it the first that is kept")
      ->type_name("SEQ")
      ->check(CLI::PositiveNumber);
}

}  // namespace

void AddQueueInspect(CommandLine& line, CLI::App* noun) {
  const Globals& globals = line.globals;
  const auto options = std::make_shared<Options>();
  CLI::App* inspect = line.Add(noun, "inspect", "Entries of a stream, decoded",
                               [&globals, options] { return Inspect(globals, *options); });
  AddStreamAndFrom(inspect, options);
  inspect->add_option("--count", options->count, "How many")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

void AddQueueDump(CommandLine& line, CLI::App* noun) {
  const Globals& globals = line.globals;
  const auto options = std::make_shared<Options>();
  CLI::App* dump = line.Add(noun, "dump", "Entries of a stream as they are, one JSON per line",
                            [&globals, options] { return Dump(globals, *options); });
  AddStreamAndFrom(dump, options);
  dump->add_option("--to", options->to, "Last entry; without it all that is committed")
      ->type_name("SEQ")
      ->check(CLI::PositiveNumber);
  dump->add_option("--out", options->out, "A new file; without it stdout")->type_name("FILE");
}

}  // namespace homeport::cli
