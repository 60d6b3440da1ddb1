// Messages: what may be asked of a coordination store, and what it answers.
//
// A row is a small value under a key, with the revision that wrote it. The store has one revision,
// which every change raises by one: of two changes it is plain which came first. Plain data; the
// rules are in docs/coordination.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/ids.h"
#include "core/status.h"
#include "core/time.h"

namespace homeport::coordination {

// 1, 2, 3 ...; of a row: the one that wrote it last. 0: there is no such row.
using Revision = core::StrongInt<struct RevisionTag, uint64_t>;
// 0: none.
using LeaseId = core::StrongInt<struct LeaseIdTag, uint64_t>;
// Marks what one compare-and-set wrote, so that who does not know how it ended finds out. At random
// and never 0.
using Token = core::StrongInt<struct TokenTag, uint64_t>;

// Of [a-z0-9/._-]; a prefix also of none.
inline constexpr size_t kKeyBytesMax = 128;
inline constexpr size_t kValueBytesMax = 128 << 10;
inline constexpr size_t kTermsMax = 16;
inline constexpr size_t kRequestBytesMax = 1 << 20;  // of all values of a compare-and-set
inline constexpr size_t kRowsPerListMax = 512;       // and
inline constexpr size_t kListBytesMax = 1 << 20;     // with one row more
// Whole seconds, as etcd has it; it raises a time that is shorter than its elections.
inline constexpr std::chrono::seconds kLeaseTtlMin{1};
inline constexpr std::chrono::seconds kLeaseTtlMax{3600};
inline constexpr std::chrono::seconds kWatchWaitMax{60};

struct Row {
  std::string key;
  std::string value;
  Revision revision;
  Token token;
  LeaseId lease;  // gone when that is
  bool operator==(const Row&) const = default;
};

// ---- requests

struct Get {
  std::string key;
  bool operator==(const Get&) const = default;
};
// Rows whose keys begin with `prefix`, ascending, after the key `after`; empty: from the first.
struct List {
  std::string prefix;
  std::string after;
  bool operator==(const List&) const = default;
};
struct Write {
  std::optional<std::string> value;  // nullopt deletes the row
  LeaseId lease;
  bool operator==(const Write&) const = default;
};
// One row of a compare-and-set: what it must be, and what it becomes.
struct Term {
  std::string key;
  Revision expected;           // of the row; 0: there must be none
  std::optional<Write> write;  // nullopt: only looked at
  bool operator==(const Term&) const = default;
};
// All terms hold and all writes are made, as one revision, or nothing is. Sent again with its
// token, it is done once.
struct CompareAndSet {
  Token token;
  std::vector<Term> terms;  // 1 .. kTermsMax, of different keys
  bool operator==(const CompareAndSet&) const = default;
};
struct GrantLease {
  std::chrono::seconds ttl{0};
  bool operator==(const GrantLease&) const = default;
};
// Its time begins anew.
struct KeepAlive {
  LeaseId lease;
  bool operator==(const KeepAlive&) const = default;
};
// Its rows go with it. Again is harmless.
struct EndLease {
  LeaseId lease;
  bool operator==(const EndLease&) const = default;
};
// The changes from revision `from` on, of rows whose keys begin with `prefix`: answered as soon as
// there is one, or after `wait` without any.
struct Watch {
  std::string prefix;
  Revision from;
  std::chrono::milliseconds wait{0};
  bool operator==(const Watch&) const = default;
};
struct AskStatus {
  bool operator==(const AskStatus&) const = default;
};
using Request =
    std::variant<Get, List, CompareAndSet, GrantLease, KeepAlive, EndLease, Watch, AskStatus>;

// ---- answers

struct Rows {
  // As of this one, of the whole store.
  Revision revision;
  std::vector<Row> rows;
  bool more = false;  // of a List: ask again after the last one
  bool operator==(const Rows&) const = default;
};
struct Compared {
  bool done = false;
  // Done: the one that its writes have. Else as of when the rows were compared.
  Revision revision;
  // Not done: the rows of its terms that there are, in order of the terms.
  std::vector<Row> rows;
  bool operator==(const Compared&) const = default;
};
struct Leased {
  LeaseId lease;
  std::chrono::seconds ttl{0};  // from when the store had the request
  bool operator==(const Leased&) const = default;
};
struct LeaseEnded {
  bool operator==(const LeaseEnded&) const = default;
};
struct Change {
  Row row;  // of a deleted one: key and the revision that deleted it
  bool deleted = false;
  bool operator==(const Change&) const = default;
};
// All changes there were of the prefix with from <= revision < next, in order.
struct Changes {
  std::vector<Change> changes;
  Revision next;  // watch from here
  bool operator==(const Changes&) const = default;
};
struct Member {
  std::string name;
  std::string endpoint;
  bool up = false;
  bool leads = false;
  std::string version;
  bool operator==(const Member&) const = default;
};
struct StoreStatus {
  std::string kind;  // "embedded", "etcd"
  Revision revision;
  uint64_t rows = 0;
  uint64_t leases = 0;
  std::vector<Member> members;
  bool operator==(const StoreStatus&) const = default;
};
// A Status: kBadRequest; kUnavailable: surely not carried out; kNoQuorum: of what changes
// something, perhaps carried out (see settle.h); kRefused: there is no such lease; kTrimmed(first):
// changes before that revision are not kept any more, list again; kOverloaded; kTooLarge.
using Answer = std::variant<core::Status, Rows, Compared, Leased, LeaseEnded, Changes, StoreStatus>;

// Whether it is of the kind that `request` has, or a Status.
bool IsAnswerTo(const Request& request, const Answer& answer);

// Whether a caller has to find out whether it was carried out.
inline bool IsUnknown(const core::Status& status) {
  return status.code() == core::Code::kNoQuorum;
}

// What a call ends with that has no answer in time.
core::Status NoAnswer(bool perhaps_written);

// kBadRequest or kTooLarge when it is beyond the limits: what every store checks first.
core::Status CheckRequest(const Request& request);
bool IsKey(std::string_view text);
// Whether it may change something.
bool IsWrite(const Request& request);
// Whether it may be asked again when its answer is lost: twice is as good as once.
bool IsRepeatable(const Request& request);

}  // namespace homeport::coordination
