// Must: the value of a result that has to be there.
#pragma once

#include <gtest/gtest.h>

#include <utility>

#include "core/status.h"

namespace homeport::router {

// A default value, and a failed test, when it is not.
template <class T>
T Must(core::Result<T> result) {
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? std::move(result).value() : T{};
}

}  // namespace homeport::router
