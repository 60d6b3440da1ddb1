// homeport record put | get | list | delete: records of a team's table (docs/extending.md), read at
// a level, and written only over a version.
#include <fmt/format.h>

#include <map>
#include <optional>

#include "cli/accounts.h"
#include "cli/verbs.h"
#include "core/text.h"

namespace homeport::cli {
namespace {

using core::SyncRecord;

struct Options {
  std::string user;
  std::string table;
  std::string key;
  std::string value;
  std::string expects;   // "0.1.17", or "none"
  std::string at_least;  // likewise
  bool any = false;
};

// "none": there is no record.
Result<std::optional<core::Stamp>> ParseVersion(const std::string& text) {
  if (text.empty()) return std::optional<core::Stamp>();
  if (text == "none") return std::optional(core::Stamp());
  const std::optional<core::Stamp> version = core::ParsePlace(text);
  if (version) return version;
  return Status::BadRequest(
      fmt::format("a version is as in 0.1.17, or none; found {}", Printable(text)));
}

int PrintWritten(const char* verb, const Result<router::RecordWritten>& written, Format format,
                 const char* yes, const char* no) {
  if (!written.ok()) return PrintError(verb, written.status());
  if (format == Format::kJson) {
    PrintJson({{"changed", written->changed}, {"version", core::FormatPlace(written->version)}});
  } else {
    PrintLine(fmt::format("{}, version {}", written->changed ? yes : no,
                          core::FormatPlace(written->version)));
  }
  return kExitOk;
}

Json ToJson(const SyncRecord& record) {
  Json json;
  PutBytes(&json, "key", "key_base64", record.key);
  PutBytes(&json, "value", "base64", record.value);
  json["changed_at"] = FormatTime(record.changed_at_ms);
  return json;
}

// All there are now, by key.
Result<std::map<std::string, SyncRecord>> ReadAll(const Globals& globals, const Options& options) {
  ASSIGN_OR_RETURN(const auto found, FindUser(globals, options.user));
  std::map<std::string, SyncRecord> records;
  std::string snapshot;
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(auto page, found.client->SyncRecords(found.user.uin, options.table, snapshot,
                                                          {}, core::Duration(0)));
    for (SyncRecord& record : page.records) {
      // It may have changed while the pages were read.
      if (record.deleted) {
        records.erase(record.key);
      } else {
        records[record.key] = std::move(record);
      }
    }
    snapshot = std::move(page.snapshot);
    more = page.more;
  }
  return records;
}

int Put(const Globals& globals, const Options& options) {
  const auto expects = ParseVersion(options.expects);
  if (!expects.ok()) return PrintError("record put", expects.status());
  const auto found = FindUser(globals, options.user);
  if (!found.ok()) return PrintError("record put", found.status());
  const auto written = found->client->WriteRecord(
      core::PutRecord{found->user.uin, options.table, options.key, options.value, {}, *expects});
  return PrintWritten("record put", written, globals.format, "put", "it was so already");
}

int Delete(const Globals& globals, const Options& options) {
  const auto expects = ParseVersion(options.expects);
  if (!expects.ok()) return PrintError("record delete", expects.status());
  const auto found = FindUser(globals, options.user);
  if (!found.ok()) return PrintError("record delete", found.status());
  const auto written = found->client->WriteRecord(
      core::DeleteRecord{found->user.uin, options.table, options.key, {}, *expects});
  return PrintWritten("record delete", written, globals.format, "deleted", "there was none");
}

int Get(const Globals& globals, const Options& options) {
  const auto at_least = ParseVersion(options.at_least);
  if (!at_least.ok()) return PrintError("record get", at_least.status());
  const auto found = FindUser(globals, options.user);
  if (!found.ok()) return PrintError("record get", found.status());
  using router::ReadLevel;
  const ReadLevel level = options.any             ? ReadLevel::kAny
                          : at_least->has_value() ? ReadLevel::kCritical
                                                  : ReadLevel::kLatest;
  const auto read = found->client->ReadRecord(found->user.uin, options.table, options.key, level,
                                              at_least->value_or(core::Stamp()));
  if (!read.ok()) return PrintError("record get", read.status());
  if (!read->record) {
    return PrintError("record get",
                      core::Status::BadRequest(fmt::format(
                          "table {} has no record {} (version {})", Printable(options.table),
                          Printable(options.key), core::FormatPlace(read->version))));
  }
  if (globals.format == Format::kJson) {
    Json json = ToJson({options.key, false, read->record->value, read->record->changed_at_ms});
    json["version"] = core::FormatPlace(read->version);
    PrintJson(json);
  } else {
    PrintLine(read->record->value);
  }
  return kExitOk;
}

int List(const Globals& globals, const Options& options) {
  const auto records = ReadAll(globals, options);
  if (!records.ok()) return PrintError("record list", records.status());
  Json list = Json::array();
  Table table({"KEY", "VALUE", "CHANGED"});
  for (const auto& [key, record] : *records) {
    table.Add({Printable(key), Printable(record.value), FormatTime(record.changed_at_ms)});
    list.push_back(ToJson(record));
  }
  if (globals.format == Format::kJson) {
    PrintJson({{"records", std::move(list)}});
  } else {
    table.Print();
  }
  return kExitOk;
}

}  // namespace

void AddRecord(CommandLine& line) {
  const auto options = std::make_shared<Options>();
  CLI::App* noun = line.AddNoun("record", "Records of a user in a team's own table");
  const auto add = [&](const char* verb, const char* help,
                       int (*act)(const Globals&, const Options&)) {
    CLI::App* app = line.Add(noun, verb, help, [&globals = line.globals, options, act] {
      return act(globals, *options);
    });
    app->add_option("user", options->user)->required();
    app->add_option("table", options->table)->required();
    return app;
  };
  CLI::App* put = add("put", "Put one under a key", Put);
  put->add_option("key", options->key)->required();
  put->add_option("value", options->value, "JSON, or any text: Homeport does not look into it")
      ->required();
  CLI::App* get = add("get", "One of them, as its home has it", Get);
  get->add_option("key", options->key)->required();
  CLI::Option* any = get->add_flag("--any", options->any, "As the nearest region has it");
  get->add_option("--at-least", options->at_least, "This version or a later one")
      ->type_name("VERSION")
      ->excludes(any);
  add("list", "All of them", List);
  CLI::App* remove = add("delete", "Delete one", Delete);
  remove->add_option("key", options->key)->required();
  for (CLI::App* write : {put, remove}) {
    write->add_option("--if-version", options->expects, "Only if this is its version, or none")
        ->type_name("VERSION");
  }
}

}  // namespace homeport::cli
