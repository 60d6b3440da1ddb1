// View names: words of what a region shows, the same at the command line and over HTTP.
#pragma once

#include <cstddef>

#include "router/views.h"

namespace homeport::router {

inline const char* EventName(core::GroupEventKind kind) {
  constexpr const char* kNames[] = {"",      "created", "renamed",     "joined", "left",
                                    "added", "removed", "transferred", "closed", "opened"};
  return kNames[static_cast<size_t>(kind)];
}

inline const char* RelationName(core::Relation relation) {
  constexpr const char* kNames[] = {"none", "asked", "asking", "friends"};
  return kNames[static_cast<size_t>(relation)];
}

}  // namespace homeport::router
