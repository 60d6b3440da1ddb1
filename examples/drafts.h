// Drafts: what a user has begun to write and not sent yet, the same on all of its devices. A table
// of a team's own: docs/extending.md.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "router/client.h"

namespace homeport::examples {

// What one device knows of its user's drafts. For one thread.
class Drafts {
 public:
  // `client` outlives it.
  Drafts(router::Client* client, core::Uin user) : client_(client), user_(user) {}

  // Answers whether that changed anything.
  core::Result<bool> Save(core::Uin to, const std::string& text) {
    return client_->Change(core::PutRecord{user_, kTable, KeyOf(to), text});
  }
  core::Result<bool> Discard(core::Uin to) {
    return client_->Change(core::DeleteRecord{user_, kTable, KeyOf(to)});
  }

  // Takes what has changed since the last time; waits up to `wait` for something.
  core::Status Sync(core::Duration wait = core::Duration(0)) {
    for (bool more = true; more; wait = core::Duration(0)) {
      ASSIGN_OR_RETURN(core::RecordsPage page,
                       client_->SyncRecords(user_, kTable, snapshot_, {}, wait));
      for (core::SyncRecord& record : page.records) {
        if (record.deleted) {
          drafts_.erase(record.key);
        } else {
          drafts_[record.key] = std::move(record.value);
        }
      }
      snapshot_ = std::move(page.snapshot);
      more = page.more;
    }
    return {};
  }

  // Empty when there is none.
  std::string Find(core::Uin to) const {
    const auto at = drafts_.find(KeyOf(to));
    return at != drafts_.end() ? at->second : std::string();
  }
  size_t size() const { return drafts_.size(); }

 private:
  static constexpr const char* kTable = "drafts";
  static std::string KeyOf(core::Uin to) { return std::to_string(to.value()); }

  router::Client* const client_;
  const core::Uin user_;
  std::map<std::string, std::string> drafts_;  // what a client would keep on its disk, with
  std::string snapshot_;                       // what the snapshot covers
};

}  // namespace homeport::examples
