// homeport contact ask | accept | delete | block | unblock | remark | list.
#include <fmt/format.h>

#include <map>

#include "cli/accounts.h"
#include "cli/verbs.h"
#include "router/view_names.h"

namespace homeport::cli {
namespace {

using core::Uin;

struct Options {
  std::string user;
  std::string peer;
  std::string words;
};
using MakeChange = std::function<core::ChangeCommand(Uin user, Uin peer, const std::string&)>;

int Change(const Globals& globals, const Options& options, const std::string& verb,
           const MakeChange& make) {
  const std::string what = "contact " + verb;
  const auto found = FindUser(globals, options.user);
  if (!found.ok()) return PrintError(what, found.status());
  const auto peer = FindAccount(*found->client, core::AccountKind::kUser, options.peer);
  if (!peer.ok()) return PrintError(what, peer.status());
  const auto changed = found->client->Change(make(found->user.uin, peer->uin, options.words));
  return PrintChanged(what, changed, globals.format, "done", "it was so already");
}

int List(const Globals& globals, const Options& options) {
  const auto found = FindUser(globals, options.user);
  if (!found.ok()) return PrintError("contact list", found.status());
  // Contacts come before messages.
  std::map<Uin, router::ContactView> contacts;
  std::string snapshot;
  for (bool more = true; more;) {
    auto page = found->client->Sync(found->user.uin, snapshot, {}, core::Duration(0));
    if (!page.ok()) return PrintError("contact list", page.status());
    more = page->more && page->messages.empty();
    snapshot = page->snapshot;
    for (router::ContactView& one : page->contacts) contacts[one.peer] = std::move(one);
  }
  Json list = Json::array();
  Table table({"CONTACT", "RELATION", "BLOCKED", "REMARK", "TEXT"});
  for (const auto& [uin, contact] : contacts) {
    Json json = ToJson(contact);
    table.Add({Printable(contact.peer_name), router::RelationName(contact.relation),
               contact.blocked ? "yes" : "", Printable(contact.remark), Printable(contact.text)});
    list.push_back(std::move(json));
  }
  if (globals.format == Format::kJson) {
    PrintJson({{"contacts", std::move(list)}});
  } else {
    table.Print();
  }
  return kExitOk;
}

}  // namespace

Json ToJson(const router::ContactView& contact) {
  Json json;
  PutBytes(&json, "name", "name_base64", contact.peer_name);
  json["uin"] = std::to_string(contact.peer.value());
  json["relation"] = router::RelationName(contact.relation);
  json["blocked"] = contact.blocked;
  PutBytes(&json, "remark", "remark_base64", contact.remark);
  PutBytes(&json, "text", "base64", contact.text);
  json["changed_at"] = FormatTime(contact.changed_at_ms);
  return json;
}

void AddContact(CommandLine& line) {
  const Globals& globals = line.globals;
  const auto options = std::make_shared<Options>();
  CLI::App* noun = line.AddNoun("contact", "Contacts of a user");
  const auto add = [&](const std::string& verb, const char* help, MakeChange make) {
    CLI::App* change = line.Add(noun, verb, help, [&globals, options, verb, make] {
      return Change(globals, *options, verb, make);
    });
    change->add_option("user", options->user)->required();
    change->add_option("peer", options->peer)->required();
    return change;
  };
  const MakeChange ask = [](Uin user, Uin peer, const std::string& text) -> core::ChangeCommand {
    return core::AskContact{user, peer, text};
  };
  add("ask", "Ask another user to be a contact", ask)
      ->add_option("--text", options->words, "Words that go with it");
  add("accept", "Accept who asks", ask);
  add("delete", "End a relation, for both sides",
      [](Uin user, Uin peer, const std::string&) -> core::ChangeCommand {
        return core::DeleteContact{user, peer};
      });
  for (const bool blocked : {true, false}) {
    add(blocked ? "block" : "unblock",
        blocked ? "Refuse what another user sends" : "Refuse it no longer",
        [blocked](Uin user, Uin peer, const std::string&) -> core::ChangeCommand {
          return core::BlockContact{user, peer, blocked};
        });
  }
  add("remark", "Note something about another user",
      [](Uin user, Uin peer, const std::string& remark) -> core::ChangeCommand {
        return core::RemarkContact{user, peer, remark};
      })
      ->add_option("text", options->words)
      ->required();
  CLI::App* list = line.Add(noun, "list", "A user's contacts",
                            [&globals, options] { return List(globals, *options); });
  list->add_option("user", options->user)->required();
}

}  // namespace homeport::cli
