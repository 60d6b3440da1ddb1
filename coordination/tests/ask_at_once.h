// AskAtOnce: of a MemoryCoordination, whose answers come at once when nothing disturbs it.
#pragma once

#include <gtest/gtest.h>

#include <utility>

#include "coordination/coordination_store.h"

namespace homeport::coordination {

inline Answer AskAtOnce(CoordinationStore& client, Request request) {
  client.Begin(std::move(request), std::chrono::seconds(1));
  uint64_t number = 0;
  Answer answer;
  EXPECT_TRUE(client.Take(&number, &answer));
  return answer;
}

}  // namespace homeport::coordination
