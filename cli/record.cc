// homeport record put | get | list | delete: records of a team's table (docs/extending.md).
#include <fmt/format.h>

#include <map>

#include "cli/accounts.h"
#include "cli/verbs.h"

namespace homeport::cli {
namespace {

using core::SyncRecord;

struct Options {
  std::string user;
  std::string table;
  std::string key;
  std::string value;
};

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
  const auto found = FindUser(globals, options.user);
  if (!found.ok()) return PrintError("record put", found.status());
  const auto changed = found->client->Change(
      core::PutRecord{found->user.uin, options.table, options.key, options.value});
  return PrintChanged("record put", changed, globals.format, "put", "it was so already");
}

int Delete(const Globals& globals, const Options& options) {
  const auto found = FindUser(globals, options.user);
  if (!found.ok()) return PrintError("record delete", found.status());
  const auto changed =
      found->client->Change(core::DeleteRecord{found->user.uin, options.table, options.key});
  return PrintChanged("record delete", changed, globals.format, "deleted", "there was none");
}

int Get(const Globals& globals, const Options& options) {
  const auto records = ReadAll(globals, options);
  if (!records.ok()) return PrintError("record get", records.status());
  const auto at = records->find(options.key);
  if (at == records->end()) {
    return PrintError("record get", core::Status::BadRequest(fmt::format(
                                        "table {} has no record {}", Printable(options.table),
                                        Printable(options.key))));
  }
  if (globals.format == Format::kJson) {
    PrintJson(ToJson(at->second));
  } else {
    PrintLine(at->second.value);
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
  add("get", "One of them", Get)->add_option("key", options->key)->required();
  add("list", "All of them", List);
  add("delete", "Delete one", Delete)->add_option("key", options->key)->required();
}

}  // namespace homeport::cli
