// HttpTransfers: many HTTP requests at once on one thread, with libcurl's multi interface.
//
// Not thread safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"
#include "core/time.h"

namespace homeport::coordination {

struct HttpEnd {
  int code = 0;  // 0: no answer
  std::string body;
  bool sent = true;  // false: it surely never reached the server
  std::string why;   // there is no answer
};

class HttpTransfers {
 public:
  using Id = uint64_t;
  HttpTransfers();
  ~HttpTransfers();
  HttpTransfers(const HttpTransfers&) = delete;
  HttpTransfers& operator=(const HttpTransfers&) = delete;

  // POSTs JSON. Ends, by what TakeEnded says, after `timeout` at the latest.
  Id Begin(const std::string& url, std::string body, core::Duration timeout);
  // What has come so far of an answer that goes on: whole lines, once.
  std::vector<std::string> TakeLines(Id id);
  // It is of no interest any more.
  void Drop(Id id);
  // Waits until something has come, `fd` is readable, or the time is over.
  void Wait(int fd, core::Duration timeout_max);
  std::vector<std::pair<Id, HttpEnd>> TakeEnded();

 private:
  struct Transfer;
  void* multi_;
  Id last_ = 0;
  std::map<Id, std::unique_ptr<Transfer>> transfers_;
};

}  // namespace homeport::coordination
