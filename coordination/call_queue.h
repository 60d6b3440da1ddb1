// CallQueue: calls on their way from the thread that uses a CoordinationClient to the one that
// talks with the store, and their answers on the way back.
//
// Thread safe; two descriptors wake the two.
#pragma once

#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "coordination/coordination_store.h"
#include "coordination/messages.h"
#include "core/clock.h"
#include "core/wakeup.h"

namespace homeport::coordination {

struct Call {
  uint64_t number = 0;
  Request request;
  core::Instant until;
};

class CallQueue {
 public:
  // ---- of the user
  uint64_t Begin(Request request, core::Duration timeout) {
    core::Status status = CheckRequest(request);
    std::lock_guard lock(mutex_);
    const uint64_t number = ++last_number_;
    if (!status.ok()) {
      answers_.emplace_back(number, std::move(status));
      to_user_.Wake();
      return number;
    }
    core::Instant until = core::SteadyNow() + timeout;
    if (const auto* watch = std::get_if<Watch>(&request)) until += watch->wait;
    calls_.push_back({number, std::move(request), until});
    to_store_.Wake();
    return number;
  }
  bool Take(uint64_t* number, Answer* answer) {
    std::lock_guard lock(mutex_);
    if (answers_.empty()) {
      to_user_.Drain();
      return false;
    }
    *number = answers_.front().first;
    *answer = std::move(answers_.front().second);
    answers_.pop_front();
    return true;
  }
  int user_fd() const { return to_user_.fd(); }

  // ---- of the thread that talks with the store
  std::vector<Call> TakeCalls() {
    std::lock_guard lock(mutex_);
    to_store_.Drain();
    return std::exchange(calls_, {});
  }
  void PutAnswer(uint64_t number, Answer answer) {
    std::lock_guard lock(mutex_);
    answers_.emplace_back(number, std::move(answer));
    to_user_.Wake();
  }
  int store_fd() const { return to_store_.fd(); }
  // From any thread: ends its wait.
  void WakeStore() { to_store_.Wake(); }

 private:
  std::mutex mutex_;  // of the next four
  uint64_t last_number_ = 0;
  std::vector<Call> calls_;
  std::deque<std::pair<uint64_t, Answer>> answers_;
  core::Wakeup to_user_;
  core::Wakeup to_store_;
};

// QueuedClient: what clients with a thread of their own have in common. The thread is up to who
// derives from it, and ends before it.
class QueuedClient : public CoordinationClient {
 public:
  uint64_t Begin(Request request, core::Duration timeout) override {
    return queue_.Begin(std::move(request), timeout);
  }
  bool Take(uint64_t* number, Answer* answer) override { return queue_.Take(number, answer); }
  int fd() const override { return queue_.user_fd(); }

 protected:
  CallQueue queue_;
};

}  // namespace homeport::coordination
