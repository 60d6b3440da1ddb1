// HttpGet: asks a daemon of a cluster for one page.
#pragma once

#include <chrono>
#include <string>

#include "core/status.h"

namespace homeport::cli {

struct HttpAnswer {
  int code = 0;
  std::string body;
};
// `address`: "127.0.0.1:7102". kUnavailable when no one answers in time.
core::Result<HttpAnswer> HttpGet(const std::string& address, const std::string& path,
                                 std::chrono::milliseconds timeout);

}  // namespace homeport::cli
