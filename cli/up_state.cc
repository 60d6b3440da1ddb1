#include "cli/up_state.h"

#include <fmt/format.h>
#include <unistd.h>

#include "core/files.h"

namespace homeport::cli {
namespace {

using core::Result;
using core::Status;

std::string StateFile(const std::string& data) {
  return data + "/up.json";
}

UpState FromJson(const Json& json) {
  UpState state;
  state.supervisor = json.at("supervisor").get<pid_t>();
  state.ready = json.at("ready").get<bool>();
  for (const Json& process : json.at("processes")) {
    UpProcess& read = state.processes.emplace_back();
    read.role = process.at("role").get<std::string>();
    read.region = process.at("region").get<std::string>();
    if (!process.at("replica").is_null()) read.replica = process.at("replica").get<uint8_t>();
    read.pid = process.at("pid").get<pid_t>();
    read.restarts = process.at("restarts").get<uint64_t>();
  }
  return state;
}

}  // namespace

Json ToJson(const std::vector<UpProcess>& processes) {
  Json list = Json::array();
  for (const UpProcess& process : processes) {
    list.push_back({{"role", process.role},
                    {"region", process.region},
                    {"replica", process.replica == 0 ? Json(nullptr) : Json(process.replica)},
                    {"pid", process.pid},
                    {"restarts", process.restarts}});
  }
  return list;
}

Status WriteUpState(const std::string& data, const UpState& state) {
  const Json json = {{"supervisor", state.supervisor},
                     {"ready", state.ready},
                     {"processes", ToJson(state.processes)}};
  return core::WriteFileAtomically(StateFile(data), json.dump(2) + '\n');
}

Result<std::optional<UpState>> ReadUpState(const std::string& data) {
  if (!core::Exists(StateFile(data))) return std::optional<UpState>();
  ASSIGN_OR_RETURN(const std::string text, core::ReadFile(StateFile(data)));
  try {
    return std::optional<UpState>(FromJson(Json::parse(text)));
  } catch (const Json::exception& error) {
    return Status::Corrupt(fmt::format("{} cannot be read: {}", StateFile(data), error.what()));
  }
}

void RemoveUpState(const std::string& data) {
  ::unlink(StateFile(data).c_str());
}

bool IsUp(const std::string& data) {
  return core::Exists(data + "/LOCK") && !core::DirectoryLock::Take(data).ok();
}

}  // namespace homeport::cli
