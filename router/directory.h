// Directory: who is home where, as one region knows it.
//
// Answers come from the region's own copy: for a user homed elsewhere they may be old, and that is
// fine: the home named by an old copy knows better and sends the client on. Pure; not thread safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/messaging/account.h"
#include "core/messaging/commands.h"
#include "core/store.h"
#include "router/region_states.h"

namespace homeport::router {

// The home of a name's partition: fixed by the order of incarnations until names move (design
// section 7). REQUIRES: incarnations is not empty.
core::Incarnation NamePartitionHome(std::string_view name, uint16_t shards,
                                    std::vector<core::Incarnation> incarnations);
core::Incarnation NamePartitionHome(std::string_view name, const core::ClusterConfig& config);

class Directory {
 public:
  // All outlive it.
  Directory(const core::ClusterConfig* config, core::Incarnation self, const core::StoreView* store,
            const RegionStates* states);

  core::HomeOf Home(core::Uin uin) const;
  // "sh"; a number without a region is told as such.
  std::string RegionName(core::Incarnation incarnation) const;

  // Ok when a request about it is to be served here. Else kMoved, with a sentence; kUnavailable
  // when nobody is to be sent to its home, or kBadRequest when that is no region of this cluster.
  core::Status ServedHere(core::Uin uin) const;
  core::Status ServedHere(core::Uin uin, const core::HomeOf& home) const;
  // kBadRequest when what is addressed to it would reach no region.
  core::Status LivesSomewhere(core::Uin uin) const;
  core::Status BornHere(core::Uin uin) const;
  core::Status NameServedHere(std::string_view name) const;

 private:
  core::Status Moved(const std::string& what, const core::HomeOf& home) const;

  const core::ClusterConfig* config_;
  core::Incarnation self_;
  const core::StoreView* store_;
  const RegionStates* states_;
};

// Name, escaped and shortened so that it can stand in a sentence: it may be any bytes.
std::string Quoted(std::string_view name);

}  // namespace homeport::router
