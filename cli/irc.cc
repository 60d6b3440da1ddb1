#include "cli/irc.h"

#include <xxhash.h>

#include "core/check.h"

namespace homeport::cli {
namespace {

constexpr std::string_view kServerLine = "=== ";

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// "[12:18] <"
bool HasMessageHead(std::string_view line) {
  return line.size() >= 9 && line[0] == '[' && IsDigit(line[1]) && IsDigit(line[2]) &&
         line[3] == ':' && IsDigit(line[4]) && IsDigit(line[5]) && line.substr(6, 3) == "] <";
}

// "<nick> text" from behind the "<". A nick has at least one character.
bool ParseMessage(std::string_view line, IrcLine* parsed) {
  if (!HasMessageHead(line)) return false;
  line.remove_prefix(9);
  const size_t end = line.find("> ", 1);
  if (end == std::string_view::npos) return false;
  *parsed = {IrcLine::Kind::kMessage, line.substr(0, end), line.substr(end + 2)};
  return true;
}

// What follows the "]" of "[user@host]": blanks, then what happened.
IrcLine::Kind ParseVerb(std::string_view rest) {
  const size_t verb = rest.find_first_not_of(' ');
  if (verb == 0 || verb == std::string_view::npos) return IrcLine::Kind::kOther;
  rest.remove_prefix(verb);
  if (rest.starts_with("has joined #")) return IrcLine::Kind::kJoin;
  if (rest.starts_with("has left") || rest.starts_with("has quit")) return IrcLine::Kind::kLeave;
  return IrcLine::Kind::kOther;
}

// "nick [user@host] has joined #chan", where nick and host may hold brackets: the nick is as short
// as it can be, and so is the host.
bool ParsePresence(std::string_view line, IrcLine* parsed) {
  const size_t nick_end = line.find(" [", 1);
  if (nick_end == std::string_view::npos) return false;
  size_t close = line.find(']', nick_end + 2);
  for (; close != std::string_view::npos; close = line.find(']', close + 1)) {
    const IrcLine::Kind kind = ParseVerb(line.substr(close + 1));
    if (kind == IrcLine::Kind::kOther) continue;
    *parsed = {kind, line.substr(0, nick_end), {}};
    return true;
  }
  return false;
}

bool ParseRename(std::string_view line, IrcLine* parsed) {
  constexpr std::string_view kWords = " is now known as ";
  const size_t words = line.find(kWords, 1);
  if (words == std::string_view::npos || words + kWords.size() == line.size()) return false;
  *parsed = {IrcLine::Kind::kRename, line.substr(0, words), line.substr(words + kWords.size())};
  return true;
}

}  // namespace

IrcLine ParseIrcLine(std::string_view line) {
  IrcLine parsed;
  if (ParseMessage(line, &parsed)) return parsed;
  if (!line.starts_with(kServerLine)) return parsed;
  line.remove_prefix(kServerLine.size());
  if (!ParsePresence(line, &parsed)) ParseRename(line, &parsed);
  return parsed;
}

void IrcImport::Line(std::string_view line, std::vector<IrcAction>* actions) {
  ++counts_.lines;
  const IrcLine parsed = ParseIrcLine(line);
  switch (parsed.kind) {
    case IrcLine::Kind::kMessage:
      return Post(UserOf(parsed.nick, actions), parsed.text, actions);
    case IrcLine::Kind::kJoin:
      return Join(UserOf(parsed.nick, actions), actions);
    case IrcLine::Kind::kLeave:
      return Leave(UserOf(parsed.nick, actions), actions);
    case IrcLine::Kind::kRename:
      if (user_of_.try_emplace(std::string(parsed.text), UserOf(parsed.nick, actions)).second) {
        ++counts_.renames;
      }
      return;
    case IrcLine::Kind::kOther:
      ++counts_.skipped;
      return;
  }
}

size_t IrcImport::UserOf(std::string_view nick, std::vector<IrcAction>* actions) {
  const auto known = user_of_.find(nick);
  if (known != user_of_.end()) return known->second;
  const size_t user = users_.size();
  users_.push_back({std::string(nick), earlier_.contains(nick)});
  user_of_.emplace(nick, user);
  ++counts_.users;
  actions->push_back({IrcAction::Kind::kCreateUser, user, {}});
  return user;
}

void IrcImport::Join(size_t user, std::vector<IrcAction>* actions) {
  if (users_[user].member) return;
  users_[user].member = true;
  ++member_count_;
  ++counts_.joins;
  actions->push_back({IrcAction::Kind::kJoin, user, {}});
}

void IrcImport::Leave(size_t user, std::vector<IrcAction>* actions) {
  // Also of somebody who is no member as far as we know: a run that is repeated knows none of those
  // who were there before it. To leave twice changes nothing.
  actions->push_back({IrcAction::Kind::kLeave, user, {}});
  if (!users_[user].member) return;
  users_[user].member = false;
  CHECK(member_count_ > 0, "whoever leaves was counted");
  --member_count_;
  ++counts_.leaves;
}

void IrcImport::Post(size_t user, std::string_view text, std::vector<IrcAction>* actions) {
  Join(user, actions);
  ++counts_.messages;
  counts_.deliveries += member_count_ - 1;
  actions->push_back({IrcAction::Kind::kPost, user, text});
}

size_t HomeOfNick(std::string_view nick, size_t homes) {
  CHECK(homes > 0, "a nick needs a home");
  return XXH3_64bits(nick.data(), nick.size()) % homes;
}

}  // namespace homeport::cli
