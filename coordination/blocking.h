// BlockingStore: a client of the store for a program without a loop: a daemon before it serves, a
// command.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "coordination/open.h"
#include "coordination/record_change.h"
#include "core/check.h"
#include "core/clock.h"

namespace homeport::coordination {

class BlockingStore {
 public:
  explicit BlockingStore(std::unique_ptr<CoordinationClient> client) : client_(std::move(client)) {
    poller_.AddFd(client_->fd());
  }

  Answer Ask(Request request, core::Duration timeout) {
    const uint64_t asked = client_->Begin(std::move(request), timeout);
    uint64_t number = 0;
    Answer answer;
    while (!client_->Take(&number, &answer)) poller_.Wait(-1);
    CHECK(number == asked, "one is asked at a time");
    return answer;
  }
  template <class T>
  core::Result<T> AskFor(Request request, core::Duration timeout) {
    Answer answer = Ask(std::move(request), timeout);
    if (auto* status = std::get_if<core::Status>(&answer)) return *status;
    auto* wanted = std::get_if<T>(&answer);
    CHECK(wanted != nullptr, "an answer is of its request's kind");
    return std::move(*wanted);
  }
  // Until it is over. kUnavailable: not within `timeout`; it may have been carried out.
  core::Status Run(RecordChange& change, core::Duration timeout) {
    const core::Instant end = core::SteadyNow() + timeout;
    while (!change.result()) {
      const core::Instant now = core::SteadyNow();
      if (now >= end) {
        return core::Status::Unavailable("the coordination store does not answer");
      }
      if (auto request = change.Next(now)) {
        const Answer answer = Ask(std::move(*request), end - now);
        change.OnAnswer(core::SteadyNow(), answer);
        continue;
      }
      const core::Duration wait = std::min(*change.NextDeadline(), end) - now;
      poller_.Wait(std::chrono::duration_cast<std::chrono::microseconds>(wait).count() + 1);
    }
    return *change.result();
  }

 private:
  const std::unique_ptr<CoordinationClient> client_;
  core::Poller poller_;
};

}  // namespace homeport::coordination
