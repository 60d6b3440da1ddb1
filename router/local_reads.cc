#include "router/local_reads.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "core/messaging/queries.h"

namespace homeport::router {

using core::AccountInfo;
using core::AccountKind;
using core::Result;
using core::Uin;

namespace {

uint32_t Clamped(uint32_t asked, uint32_t most) {
  return asked == 0 ? most : std::min(asked, most);
}

}  // namespace

AccountView LocalReads::ViewOf(AccountInfo account, size_t* countable) const {
  AccountView view;
  static_cast<AccountInfo&>(view) = std::move(account);
  if (view.kind == AccountKind::kGroup) {
    view.members = core::ListMembers(*store_, shards_, view.uin, Uin(), *countable).size();
    *countable -= view.members;
  }
  return view;
}

ResolvedAnswer LocalReads::Resolve(const ResolveRequest& request) const {
  const std::optional<Uin> uin = core::FindName(*store_, shards_, request.kind, request.name);
  if (!uin) return {};
  ResolvedAnswer answer = Show({*uin});
  if (!answer.account) answer.bound = *uin;
  return answer;
}

ResolvedAnswer LocalReads::Show(const ShowRequest& request) const {
  ResolvedAnswer answer;
  size_t countable = kMembersCountedMax;
  if (auto account = core::FindAccount(*store_, shards_, request.uin)) {
    answer.account = ViewOf(std::move(*account), &countable);
  }
  return answer;
}

AccountsAnswer LocalReads::List(const ListRequest& request) const {
  AccountsAnswer answer;
  size_t countable = kMembersCountedMax;
  for (AccountInfo& account :
       core::ListAccounts(*store_, request.shard, request.kind, request.after,
                          Clamped(request.limit, kListLimitMax), &answer.next)) {
    answer.accounts.push_back(ViewOf(std::move(account), &countable));
  }
  return answer;
}

MembersAnswer LocalReads::Members(const MembersRequest& request) const {
  MembersAnswer answer;
  answer.members = core::ListMembers(*store_, shards_, request.group, request.after,
                                     Clamped(request.limit, kListLimitMax), &answer.next);
  return answer;
}

Result<LocalReads::SyncRead> LocalReads::Sync(const SyncRequest& request,
                                              const core::SyncHead& head) const {
  const core::SyncLimits limits{.items_max = Clamped(request.items_max, kSyncItemsMax),
                                .bytes_max = Clamped(request.bytes_max, kSyncBytesMax)};
  ASSIGN_OR_RETURN(core::SyncPage page, core::ReadSync(*store_, sync_, head, limits));
  SyncRead read;
  read.acknowledges = page.acknowledges;
  read.awaits_group = page.awaits_group;
  SyncResult& result = read.result;
  result.snapshot = std::move(page.snapshot);
  result.more = page.more;
  if (page.account) {
    static_cast<AccountInfo&>(result.account.emplace()) = std::move(page.account->account);
    result.devices = std::move(page.account->devices);
  }
  std::map<Uin, std::string> names;  // few senders and groups fill a page
  const auto name_of = [&](Uin uin) -> const std::string& {
    const auto [at, is_new] = names.try_emplace(uin);
    if (is_new) {
      if (auto account = core::FindAccount(*store_, shards_, uin)) {
        at->second = std::move(account->name);
      }
    }
    return at->second;
  };
  for (core::SyncContact& one : page.contacts) {
    core::Contact& contact = one.contact;
    result.contacts.push_back({one.peer, name_of(one.peer), contact.relation(),
                               std::move(contact.text), contact.blocked, std::move(contact.remark),
                               contact.changed_at_ms});
  }
  for (const core::SyncConversation& one : page.conversations) {
    result.conversations.push_back({one, name_of(one.with)});
  }
  for (core::SyncMessage& message : page.messages) {
    SyncedMessage& synced = result.messages.emplace_back();
    static_cast<core::SyncMessage&>(synced) = std::move(message);
    synced.sender_name = name_of(synced.sender);
    if (synced.group != Uin()) synced.group_name = name_of(synced.group);
    if (synced.event.subject != Uin()) synced.subject_name = name_of(synced.event.subject);
  }
  return read;
}

Result<core::RecordsPage> LocalReads::Records(const RecordsRequest& request) const {
  const core::SyncLimits limits{.items_max = Clamped(request.items_max, kSyncItemsMax),
                                .bytes_max = Clamped(request.bytes_max, kSyncBytesMax)};
  return core::ReadRecords(*store_, sync_, request.user, request.table, request.snapshot, limits);
}

}  // namespace homeport::router
