#include "cli/http_get.h"

#include <fmt/format.h>
#include <httplib.h>

namespace homeport::cli {

core::Result<HttpAnswer> HttpGet(const std::string& address, const std::string& path,
                                 std::chrono::milliseconds timeout) {
  httplib::Client client("http://" + address);
  const auto us = std::chrono::microseconds(timeout).count();
  client.set_connection_timeout(us / 1000000, us % 1000000);
  client.set_read_timeout(us / 1000000, us % 1000000);
  const auto answer = client.Get(path.c_str());
  if (!answer) {
    return core::Status::Unavailable(fmt::format("no answer from http://{}{}: {}", address, path,
                                                 httplib::to_string(answer.error())));
  }
  return HttpAnswer{answer->status, answer->body};
}

}  // namespace homeport::cli
