// Asker: a client of a store that waits for its answers, as tests do.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "coordination/mirror.h"
#include "coordination/settler.h"
#include "coordination/tests/backend.h"

namespace homeport::coordination {

inline constexpr core::Duration kPatience = std::chrono::seconds(60);
inline constexpr core::Duration kCallTimeout = std::chrono::seconds(3);

class Asker {
 public:
  explicit Asker(Backend* backend) : backend_(backend), store_(backend->NewClient()) {}

  uint64_t Begin(Request request, core::Duration timeout = kCallTimeout) {
    return store_->Begin(std::move(request), timeout);
  }
  bool Has(uint64_t number) {
    TakeAll();
    return answers_.contains(number);
  }
  Answer Await(uint64_t number) {
    const core::Instant end = backend_->Now() + kPatience;
    while (!Has(number)) {
      if (backend_->Now() > end) {
        ADD_FAILURE() << "no answer, not even that there is none";
        return core::Status::Unavailable("no answer");
      }
      backend_->Wait({store_.get()});
    }
    Answer answer = std::move(answers_[number]);
    answers_.erase(number);
    return answer;
  }
  Answer Ask(Request request, core::Duration timeout = kCallTimeout) {
    return Await(Begin(std::move(request), timeout));
  }
  // Reads and leases: until there is an answer that is one.
  template <class T>
  T AskFor(const Request& request) {
    const core::Instant end = backend_->Now() + kPatience;
    Answer answer = Ask(request);
    while (std::holds_alternative<core::Status>(answer) && backend_->Now() < end &&
           core::IsNotNow(std::get<core::Status>(answer).code())) {
      answer = Ask(request);
    }
    if (T* wanted = std::get_if<T>(&answer)) return std::move(*wanted);
    ADD_FAILURE() << "another answer: "
                  << (std::holds_alternative<core::Status>(answer)
                          ? std::get<core::Status>(answer).ToString()
                          : std::to_string(answer.index()));
    return T();
  }
  // Until it is known how it ended.
  Settled Settle(CompareAndSet set) {
    Settler settler(std::move(set));
    const core::Instant end = backend_->Now() + kPatience;
    while (!settler.settled()) {
      if (backend_->Now() > end) {
        ADD_FAILURE() << "never settled";
        return {};
      }
      if (auto request = settler.Next(backend_->Now())) {
        const Answer answer = Ask(std::move(*request));
        settler.OnAnswer(backend_->Now(), answer);
      } else {
        backend_->Wait({store_.get()});
      }
    }
    return *settler.settled();
  }
  std::optional<Row> Find(const std::string& key) {
    const Rows rows = AskFor<Rows>(Get{key});
    return rows.rows.empty() ? std::nullopt : std::optional(rows.rows[0]);
  }
  CoordinationStore* store() { return store_.get(); }

 private:
  void TakeAll() {
    uint64_t number = 0;
    Answer answer;
    while (store_->Take(&number, &answer)) answers_[number] = std::move(answer);
  }
  Backend* const backend_;
  const std::unique_ptr<CoordinationStore> store_;
  std::map<uint64_t, Answer> answers_;
};

// A row that must not be there, or be of `expected`.
inline Term PutTerm(const std::string& key, const std::string& value,
                    Revision expected = Revision(0), LeaseId lease = LeaseId(0)) {
  return {key, expected, Write{value, lease}};
}
inline Term DeleteTerm(const std::string& key, Revision expected) {
  return {key, expected, Write{}};
}
inline CompareAndSet Set(std::vector<Term> terms) {
  static uint64_t last_token = 0;
  return {Token(++last_token), std::move(terms)};
}

}  // namespace homeport::coordination
