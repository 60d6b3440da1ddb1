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
  bool sent = true;       // false: it surely never reached the server
  bool too_long = false;  // it was ended here: there was more than is kept
  std::string why;        // there is no answer
};

enum class HttpRepeat : uint8_t {
  kMay,      // the server may get it twice
  kMustNot,  // a connection of its own: on one that ends before the answer libcurl sends again
};

class HttpTransfers {
 public:
  using Id = uint64_t;
  HttpTransfers();
  ~HttpTransfers();
  HttpTransfers(const HttpTransfers&) = delete;
  HttpTransfers& operator=(const HttpTransfers&) = delete;

  // POSTs JSON. Ends, by what TakeEnded says, after `timeout` at the latest.
  Id Begin(const std::string& url, std::string body, core::Duration timeout, HttpRepeat repeat);
  // What has come so far of an answer that goes on: whole lines, once.
  std::vector<std::string> TakeLines(Id id);
  // It is of no interest any more.
  void Drop(Id id);
  // Waits until something has come or ended, `fd` is readable, or the time is over.
  void Wait(int fd, core::Duration timeout_max);
  std::vector<std::pair<Id, HttpEnd>> TakeEnded();

 private:
  struct Transfer;
  size_t Perform();

  void* multi_;
  Id last_ = 0;
  bool has_come_ = false;  // bytes, since the last Wait began
  std::map<Id, std::unique_ptr<Transfer>> transfers_;
};

}  // namespace homeport::coordination
