// homeport history, history show N: the journal of what operators did.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "cli/region_orders.h"
#include "cli/verbs.h"
#include "router/region_states.h"

namespace homeport::cli {
namespace {

using core::JournalRecord;

struct History {
  ClusterConfig config;
  std::vector<JournalRecord> records;  // by number
};

// As all regions that answer know it together: one that was cut off may have records of its own.
Result<History> Load(const Globals& globals) {
  ASSIGN_OR_RETURN(Connection connection, ConnectCluster(globals, kOrderTimeout));
  std::map<std::pair<core::Incarnation, uint64_t>, JournalRecord> all;
  Status failed;
  bool answered = false;
  for (const core::RegionConfig& region : connection.config.regions) {
    auto records = connection.client->JournalOf(region.name);
    if (!records.ok()) {
      failed = records.status();
      continue;
    }
    answered = true;
    for (JournalRecord& record : *records) {
      JournalRecord& known = all[{record.writer, record.id}];
      if (record.changed_at_ms >= known.changed_at_ms) known = std::move(record);
    }
  }
  if (!answered) return failed;
  History history{std::move(connection.config), {}};
  for (auto& [place, record] : all) history.records.push_back(std::move(record));
  std::sort(history.records.begin(), history.records.end(),
            [](const JournalRecord& a, const JournalRecord& b) {
              return std::tie(a.number, a.writer) < std::tie(b.number, b.writer);
            });
  return history;
}

Json ToJson(const ClusterConfig& config, const JournalRecord& record) {
  Json json = {{"number", record.number},
               {"kept_by", router::NamesOf(config, {record.writer})},
               {"kind", record.kind},
               {"begun_at", FormatTime(record.begun_at_ms)},
               {"changed_at", FormatTime(record.changed_at_ms)},
               {"state", core::JournalStateName(record.state)}};
  PutBytes(&json, "what", "what_base64", record.what);
  PutBytes(&json, "by", "by_base64", record.by);
  PutBytes(&json, "program", "program_base64", record.program);
  json["region"] = nullptr;
  if (record.region != core::Incarnation()) {
    json["region"] = router::NamesOf(config, {record.region});
  }
  json["counts"] = Json::object();
  for (const core::JournalCount& count : record.counts) json["counts"][count.name] = count.count;
  json["lines"] = Json::array();
  for (const std::string& line : record.lines) json["lines"].push_back(Printable(line));
  return json;
}

std::string CountsOf(const JournalRecord& record) {
  std::string counts;
  for (const core::JournalCount& count : record.counts) {
    if (count.count == 0) continue;
    counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", Printable(count.name),
                          FormatCount(count.count));
  }
  return counts;
}

int List(const Globals& globals) {
  const auto history = Load(globals);
  if (!history.ok()) return PrintError("history", history.status());
  if (globals.format == Format::kJson) {
    Json list = Json::array();
    for (const JournalRecord& record : history->records) {
      list.push_back(ToJson(history->config, record));
    }
    PrintJson({{"history", std::move(list)}});
    return kExitOk;
  }
  Table table({"N", "BEGUN", "WHAT", "BY", "STATE", "COUNTS"});
  for (const JournalRecord& record : history->records) {
    table.Add({std::to_string(record.number), FormatTime(record.begun_at_ms),
               Printable(record.kind + " " + record.what), Printable(record.by),
               std::string(core::JournalStateName(record.state)), CountsOf(record)});
  }
  table.Print();
  return kExitOk;
}

void PrintOne(const ClusterConfig& config, const JournalRecord& record) {
  PrintLine(fmt::format("{}  {}", record.number, Printable(record.kind + " " + record.what)));
  PrintLine(fmt::format("  by {} with {}, kept by {}", Printable(record.by),
                        Printable(record.program), router::NamesOf(config, {record.writer})));
  PrintLine(fmt::format("  begun {}, {} {}", FormatTime(record.begun_at_ms),
                        core::JournalStateName(record.state), FormatTime(record.changed_at_ms)));
  for (const core::JournalCount& count : record.counts) {
    PrintLine(fmt::format("  {}: {}", Printable(count.name), FormatCount(count.count)));
  }
  for (const std::string& line : record.lines) PrintLine("  " + Printable(line));
}

// Two regions that did not hear of one another may have given the same number.
int Show(const Globals& globals, uint64_t number) {
  const auto history = Load(globals);
  if (!history.ok()) return PrintError("history show", history.status());
  Json list = Json::array();
  for (const JournalRecord& record : history->records) {
    if (record.number != number) continue;
    list.push_back(ToJson(history->config, record));
    if (globals.format == Format::kTable) PrintOne(history->config, record);
  }
  if (list.empty()) {
    return PrintError("history show",
                      Status::BadRequest(fmt::format(
                          "there is no record {}; `homeport history` lists them", number)));
  }
  if (globals.format == Format::kJson) PrintJson({{"records", std::move(list)}});
  return kExitOk;
}

}  // namespace

void AddHistory(CommandLine& line) {
  const Globals& globals = line.globals;
  const auto number = std::make_shared<std::optional<uint64_t>>();
  // Both are called when the second is named.
  const auto act = [&globals, number] {
    return number->has_value() ? Show(globals, **number) : List(globals);
  };
  CLI::App* noun = line.Add(&line.app, "history", "What operators did, and what came of it", act);
  CLI::App* show = line.Add(noun, "show", "One record of it", act);
  show->add_option("number", *number)->required();
}

}  // namespace homeport::cli
