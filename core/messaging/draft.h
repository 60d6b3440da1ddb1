// Draft: what one stream entry is going to hold, gathered in order, then encoded once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "core/messaging/entry.h"
#include "core/messaging/intents.h"
#include "core/messaging/rows.h"
#include "core/time.h"

namespace homeport::core {

class Draft {
 public:
  explicit Draft(WallMs now) : now_(now) {}

  WallMs now() const { return now_; }
  void Put(std::string key, const Stamp& stamp, std::string value);
  void Delete(std::string key, const Stamp& stamp);
  // users[i] gets `item` at version versions[i] of `epoch`. REQUIRES: as many versions as users.
  void Fanout(std::string item, MastershipEpoch epoch, std::vector<Uin> users,
              std::vector<uint64_t> versions);
  // The user's inbox items after `from`, up to and including `through`, are removed.
  void TrimInbox(Uin user, const Stamp& from, const Stamp& through);
  // Likewise the group's messages, by their places.
  void TrimGroup(Uin group, uint64_t from, uint64_t through);
  void AddIntent(Intent intent, std::vector<Target> targets);
  // A lower cursor than before changes nothing.
  void Consumed(Incarnation role, StreamId source, const Cursor& cursor);
  void RaiseIdsThrough(uint64_t ids_through);
  void SetReport(Report report);

  bool empty() const { return bytes_ == 0; }
  // Estimate of the encoded size, a little too high; 0 when empty.
  uint64_t bytes() const;
  std::string Encode() const;

 private:
  struct Row {
    std::string key;
    Stamp stamp;
    bool deleted = false;
    std::string value;
  };
  struct Copies {
    std::string item;
    MastershipEpoch epoch;
    std::vector<Uin> users;
    std::vector<uint64_t> versions;
  };
  struct Trim {
    Uin user;
    Stamp from;
    Stamp through;
    bool of_group = false;
  };
  struct Addressed {
    Intent intent;
    std::vector<Target> targets;
  };
  void AddRow(Row row);

  WallMs now_;
  std::vector<Row> rows_;
  std::vector<Copies> copies_;
  std::vector<Trim> trims_;
  std::vector<Addressed> intents_;
  std::map<std::pair<Incarnation, StreamId>, Cursor> consumed_;
  uint64_t ids_through_ = 0;
  std::optional<Report> report_;
  uint64_t bytes_ = 0;
};

}  // namespace homeport::core
