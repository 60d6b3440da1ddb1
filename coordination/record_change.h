// RecordChange: reads some rows, decides what is to become of them, compares and sets; again when
// somebody else was first.
//
//   reading (row by row) --> decided --> setting --> over
//                                   \--(others were first)--> reading
//
// Pure: feed it answers. What is decided is up to who derives from it. Not thread safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "coordination/settler.h"

namespace homeport::coordination {

class RecordChange {
 public:
  virtual ~RecordChange() = default;
  // What to ask now. nullopt: it is asked, waits, or is over.
  std::optional<Request> Next(core::Instant now);
  void OnAnswer(core::Instant now, const Answer& answer);
  std::optional<core::Instant> NextDeadline() const;
  // Over, well or not; nullopt: not yet.
  const std::optional<core::Status>& result() const { return result_; }
  // Whether Decide refused it, having read the rows; else what went wrong is the store's word.
  bool decided_against() const { return decided_against_; }

 protected:
  // `token`: at random; it and the numbers after it are this change's own.
  RecordChange(std::vector<std::string> keys, Token token)
      : keys_(std::move(keys)), token_(token) {}
  using Rows = std::map<std::string, Row>;  // those there are
  // What is to be done: nothing any more, terms to set, or it is refused.
  using Decision = std::variant<std::monostate, std::vector<Term>, core::Status>;
  virtual Decision Decide(const Rows& rows) = 0;

 private:
  void Decided(Decision decision);

  const std::vector<std::string> keys_;
  Token token_;
  size_t read_ = 0;  // of keys_
  Rows rows_;
  std::optional<Settler> settler_;  // setting
  bool asked_ = false;
  core::Instant ask_at_;
  core::Duration pause_{0};
  int tries_ = 0;
  std::optional<core::Status> result_;
  bool decided_against_ = false;
};

// A term that writes `value`: over the row that was read, or as a new one.
Term WriteTerm(const std::map<std::string, Row>& rows, const std::string& key, std::string value);

}  // namespace homeport::coordination
