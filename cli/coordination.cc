// homeport coordination status, list: what the coordination store has, and whether it answers.
#include <fmt/format.h>

#include <set>

#include "cli/verbs.h"
#include "coordination/blocking.h"
#include "coordination/etcd_json.h"
#include "core/socket.h"

namespace homeport::cli {
namespace {

using coordination::BlockingStore;
using coordination::Row;
using coordination::Rows;
using coordination::StoreStatus;

constexpr std::chrono::seconds kTimeout{5};
constexpr std::string_view kHint =
    "regions go on without it; `homeport status` shows its process, DIR/logs its log";

Result<std::unique_ptr<BlockingStore>> Open(core::Context& context, const ClusterConfig& config) {
  ASSIGN_OR_RETURN(auto client, coordination::OpenCoordination(context, config));
  return std::make_unique<BlockingStore>(std::move(client));
}

core::Duration TimeoutOf(const Globals& globals) {
  if (globals.timeout_s <= 0) return kTimeout;
  return std::chrono::duration_cast<core::Duration>(
      std::chrono::duration<double>(globals.timeout_s));
}

// Our own is as old as this program.
std::string FaultsOf(const StoreStatus& status, const coordination::Member& member) {
  return status.kind == "etcd" ? coordination::KnownFaults(member.version) : "";
}

Json ToJson(const StoreStatus& status) {
  Json members = Json::array();
  for (const coordination::Member& member : status.members) {
    Json json = {{"member", member.name},
                 {"endpoint", member.endpoint},
                 {"up", member.up},
                 {"leads", member.leads},
                 {"version", member.version}};
    const std::string faults = FaultsOf(status, member);
    if (!faults.empty()) json["known_faults"] = faults;
    members.push_back(std::move(json));
  }
  return {{"kind", status.kind}, {"reachable", true},       {"revision", status.revision.value()},
          {"rows", status.rows}, {"leases", status.leases}, {"members", std::move(members)}};
}

void PrintStatus(const StoreStatus& status) {
  Table store({"KIND", "REVISION", "ROWS", "LEASES"});
  store.Add({status.kind, FormatCount(status.revision.value()), FormatCount(status.rows),
             FormatCount(status.leases)});
  store.Print();
  PrintLine("");
  Table members({"MEMBER", "ENDPOINT", "UP", "LEADS", "VERSION"});
  for (const coordination::Member& member : status.members) {
    members.Add({member.name.empty() ? "-" : member.name, member.endpoint,
                 member.up ? "up" : "DOWN", member.leads ? "leads" : "-",
                 member.version.empty() ? "-" : member.version});
  }
  members.Print();
  std::set<std::string> faults;  // of each version once
  for (const coordination::Member& member : status.members) {
    faults.insert(FaultsOf(status, member));
  }
  for (const std::string& one : faults) {
    if (!one.empty()) PrintLine("  " + one);
  }
}

int ShowStatus(const Globals& globals) {
  const auto config = LoadCluster(globals);
  if (!config.ok()) return PrintError("coordination status", config.status());
  core::Context context;
  const auto store = Open(context, *config);
  if (!store.ok()) return PrintError("coordination status", store.status());
  const auto status = (*store)->AskFor<StoreStatus>(coordination::AskStatus{}, TimeoutOf(globals));
  if (!status.ok()) {
    if (globals.format == Format::kJson) {
      PrintJson({{"kind", core::KindName(config->coordination.kind)}, {"reachable", false}});
    }
    return PrintError("coordination status", status.status(), kHint);
  }
  if (globals.format == Format::kJson) {
    PrintJson(ToJson(*status));
  } else {
    PrintStatus(*status);
  }
  return kExitOk;
}

Result<std::vector<Row>> AllRows(BlockingStore& store, const std::string& prefix,
                                 core::Duration timeout) {
  std::vector<Row> rows;
  for (bool more = true; more;) {
    const std::string after = rows.empty() ? "" : rows.back().key;
    ASSIGN_OR_RETURN(Rows page, store.AskFor<Rows>(coordination::List{prefix, after}, timeout));
    more = page.more && !page.rows.empty();
    rows.insert(rows.end(), std::make_move_iterator(page.rows.begin()),
                std::make_move_iterator(page.rows.end()));
  }
  return rows;
}

int List(const Globals& globals, const std::string& prefix) {
  const auto config = LoadCluster(globals);
  if (!config.ok()) return PrintError("coordination list", config.status());
  core::Context context;
  const auto store = Open(context, *config);
  if (!store.ok()) return PrintError("coordination list", store.status());
  const auto rows = AllRows(**store, prefix, TimeoutOf(globals));
  if (!rows.ok()) return PrintError("coordination list", rows.status(), kHint);
  if (globals.format == Format::kJson) {
    Json list = Json::array();
    for (const Row& row : *rows) {
      list.push_back({{"key", row.key},
                      {"revision", row.revision.value()},
                      {"bytes", row.value.size()},
                      {"lease", fmt::format("{:x}", row.lease.value())}});
    }
    PrintJson({{"rows", std::move(list)}});
    return kExitOk;
  }
  Table table({"KEY", "REVISION", "BYTES", "LEASE"});
  for (const Row& row : *rows) {
    table.Add({row.key, FormatCount(row.revision.value()), FormatCount(row.value.size()),
               row.lease.value() == 0 ? "-" : fmt::format("{:x}", row.lease.value())});
  }
  table.Print();
  return kExitOk;
}

}  // namespace

void AddCoordination(CommandLine& line) {
  const Globals& globals = line.globals;
  CLI::App* noun = line.AddNoun("coordination", "What all regions must agree on, and where it is");
  line.Add(noun, "status", "Whether the store answers, its members, and how much it has",
           [&globals] { return ShowStatus(globals); });
  const auto prefix = std::make_shared<std::string>();
  line.Add(noun, "list", "Its rows", [&globals, prefix] { return List(globals, *prefix); })
      ->add_option("prefix", *prefix, "Only keys that begin so")
      ->type_name("PREFIX");
}

}  // namespace homeport::cli
