// homeport device register | list | remove.
#include <fmt/format.h>

#include "cli/accounts.h"
#include "cli/verbs.h"

namespace homeport::cli {
namespace {

struct Options {
  std::string user;
  uint64_t install = 0;
  std::string name;
  uint16_t number = 0;
};

int Register(const Globals& globals, const Options& options) {
  const auto found = FindUser(globals, options.user);
  if (!found.ok()) return PrintError("device register", found.status());
  const auto number = found->client->RegisterDevice(found->user.uin, options.install, options.name);
  if (!number.ok()) return PrintError("device register", number.status());
  if (globals.format == Format::kJson) {
    PrintJson({{"device", number->value()}});
  } else {
    PrintLine(fmt::format("device {} of {}", number->value(), Printable(options.user)));
  }
  return kExitOk;
}

int List(const Globals& globals, const Options& options) {
  const auto found = FindUser(globals, options.user);
  if (!found.ok()) return PrintError("device list", found.status());
  // The account comes first, whatever the limits.
  const auto page = found->client->Sync(found->user.uin, "", {.items_max = 1}, core::Duration(0));
  if (!page.ok()) return PrintError("device list", page.status());
  Json list = Json::array();
  Table table({"DEVICE", "NAME", "REGISTERED", "SEEN"});
  for (const core::SyncDevice& device : page->devices) {
    Json json;
    json["device"] = device.number.value();
    PutBytes(&json, "name", "name_base64", device.device.name);
    json["registered_at"] = FormatTime(device.device.registered_at_ms);
    json["seen_at"] = FormatTime(device.seen_at_ms);
    list.push_back(std::move(json));
    table.Add({std::to_string(device.number.value()), Printable(device.device.name),
               FormatTime(device.device.registered_at_ms), FormatTime(device.seen_at_ms)});
  }
  if (globals.format == Format::kJson) {
    PrintJson({{"devices", std::move(list)}});
  } else {
    table.Print();
  }
  return kExitOk;
}

int Remove(const Globals& globals, const Options& options) {
  const auto found = FindUser(globals, options.user);
  if (!found.ok()) return PrintError("device remove", found.status());
  const auto changed = found->client->Change(
      core::RemoveDevice{found->user.uin, core::DeviceNumber(options.number)});
  return PrintChanged("device remove", changed, globals.format, "removed", "there was none");
}

}  // namespace

void AddDevice(CommandLine& line) {
  const Globals& globals = line.globals;
  const auto options = std::make_shared<Options>();
  CLI::App* noun = line.AddNoun("device", "Devices of a user");
  CLI::App* add = line.Add(noun, "register", "A number for a device; the same install, the same",
                           [&globals, options] { return Register(globals, *options); });
  add->add_option("user", options->user)->required();
  add->add_option("--install", options->install, "A random number that the device keeps")
      ->required()
      ->type_name("NUMBER");
  add->add_option("--name", options->name, "What people call it");
  CLI::App* list = line.Add(noun, "list", "A user's devices and when they were seen",
                            [&globals, options] { return List(globals, *options); });
  list->add_option("user", options->user)->required();
  CLI::App* remove = line.Add(noun, "remove", "Forget a lost device: it holds nothing any more",
                              [&globals, options] { return Remove(globals, *options); });
  remove->add_option("user", options->user)->required();
  remove->add_option("number", options->number)->required();
}

}  // namespace homeport::cli
