// IRC logs: the lines of a raw channel log, and what an import of them does. Pure.
//
// Rules, over all files in the order given, line by line (docs/cli.md, "import irc"):
//   [HH:MM] <nick> text                    a message: the text is all after the first "> ", byte
//   for byte
//   === nick [user@host] has joined #chan  joins
//   === nick [user@host] has left|quit     leaves
//   === a is now known as b                b is the same user as a, unless b is a nick already
//   anything else                          skipped
// A nick seen for the first time, in whatever line, is a user named like it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace homeport::cli {

struct IrcLine {
  enum class Kind { kMessage, kJoin, kLeave, kRename, kOther };
  Kind kind = Kind::kOther;
  std::string_view nick;
  std::string_view text;  // of a message: its text; of a rename: the new nick
};
// `line` without its LF or CR LF. The views point into it.
IrcLine ParseIrcLine(std::string_view line);

// Calls visit(line) for each line of a file's bytes that is not empty: LF ends a line, one CR
// before it is dropped.
template <class Visit>
void ForEachIrcLine(std::string_view file, Visit&& visit) {
  while (!file.empty()) {
    const size_t end = file.find('\n');
    std::string_view line = file.substr(0, end);
    file.remove_prefix(end == std::string_view::npos ? file.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!line.empty()) visit(line);
  }
}

// What one line asks of the cluster, in order. `user` counts users from 0 in the order they were
// first seen.
struct IrcAction {
  enum class Kind { kCreateUser, kJoin, kLeave, kPost };
  Kind kind;
  size_t user = 0;
  std::string_view text;  // of kPost
};

struct IrcCounts {
  uint64_t lines = 0;
  uint64_t messages = 0;
  uint64_t users = 0;
  uint64_t joins = 0;
  uint64_t leaves = 0;
  uint64_t renames = 0;
  uint64_t skipped = 0;
  uint64_t deliveries =
      0;  // expected: a message goes to every member at that moment but its sender
  bool operator==(const IrcCounts&) const = default;
};

// IrcImport: who is who and who is a member, line after line.
//
// Invariants:
//  (1) every nick belongs to one user for ever
//  (2) a user who posts is a member
class IrcImport {
 public:
  // `members`: names of users who are in the group before the first line.
  explicit IrcImport(std::set<std::string, std::less<>> members) : earlier_(std::move(members)) {
    member_count_ = earlier_.size();
  }
  // Appends to `actions` what the line asks for; their views point into `line`.
  void Line(std::string_view line, std::vector<IrcAction>* actions);

  const std::string& name(size_t user) const { return users_[user].name; }
  const IrcCounts& counts() const { return counts_; }

 private:
  struct User {
    std::string name;
    bool member = false;
  };
  size_t UserOf(std::string_view nick, std::vector<IrcAction>* actions);
  void Join(size_t user, std::vector<IrcAction>* actions);
  void Leave(size_t user, std::vector<IrcAction>* actions);
  void Post(size_t user, std::string_view text, std::vector<IrcAction>* actions);

  std::set<std::string, std::less<>> earlier_;
  std::map<std::string, size_t, std::less<>> user_of_;  // by nick
  std::vector<User> users_;
  uint64_t member_count_ = 0;
  IrcCounts counts_;
};

// The home of a nick: always the same for the same list of homes. An index below `homes`; REQUIRES:
// homes > 0.
size_t HomeOfNick(std::string_view nick, size_t homes);

}  // namespace homeport::cli
