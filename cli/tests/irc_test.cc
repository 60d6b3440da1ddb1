#include "cli/irc.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace homeport::cli {
namespace {

using Kind = IrcLine::Kind;

void ExpectLine(std::string_view line, Kind kind, std::string_view nick, std::string_view text) {
  const IrcLine parsed = ParseIrcLine(line);
  EXPECT_EQ(parsed.kind, kind) << line;
  EXPECT_EQ(parsed.nick, nick) << line;
  EXPECT_EQ(parsed.text, text) << line;
}
void ExpectOther(std::string_view line) {
  EXPECT_EQ(ParseIrcLine(line).kind, Kind::kOther) << line;
}

TEST(IrcLineTest, TextOfAMessageIsAllAfterTheNick) {
  ExpectLine("[12:18] <alice> hello", Kind::kMessage, "alice", "hello");
  ExpectLine("[12:18] <alice>  two  blanks ", Kind::kMessage, "alice", " two  blanks ");
  ExpectLine("[12:18] <bob> > quoted <tag> > x", Kind::kMessage, "bob", "> quoted <tag> > x");
  ExpectLine("[23:59] <a\xff> \xfe\x01\x00", Kind::kMessage, "a\xff", "\xfe\x01");
}

TEST(IrcLineTest, AMessageMayBeEmptyButNeedsItsBlank) {
  ExpectLine("[12:18] <alice> ", Kind::kMessage, "alice", "");
  ExpectOther("[12:18] <alice>");
  ExpectOther("[12:18] <alice>x");
  ExpectLine("[12:18] <alice>x> y", Kind::kMessage, "alice>x", "y");
}

TEST(IrcLineTest, ANickMayHoldBracketsAndBlanks) {
  ExpectLine("[12:18] <bur[n] er> hi", Kind::kMessage, "bur[n] er", "hi");
  ExpectLine("=== brad[]  [~brad@host]  has joined #ubuntu", Kind::kJoin, "brad[] ", "");
  ExpectLine("=== bur[n] er [n=burner@host]  has left #ubuntu []", Kind::kLeave, "bur[n] er", "");
  ExpectLine("[12:18] <> > x", Kind::kMessage, "> ", "x");
}

TEST(IrcLineTest, OnlyTwoDigitsTwiceAreATime) {
  for (const auto* line : {"[1:18] <a> x", "[12:1] <a> x", "[12-18] <a> x", "[ab:cd] <a> x",
                           "(12:18) <a> x", "[12:18]  <a> x", " [12:18] <a> x", "[12:18] * a x",
                           "[12:18]", "[12:18] <", "[12:18] <> x"}) {
    ExpectOther(line);
  }
}

TEST(IrcLineTest, JoinsLeavesAndQuits) {
  ExpectLine("=== carol [~c@h]  has joined #ubuntu", Kind::kJoin, "carol", "");
  ExpectLine("=== carol [~c@h] has left #ubuntu [\"Leaving]", Kind::kLeave, "carol", "");
  ExpectLine("=== carol [~c@h] has quit IRC", Kind::kLeave, "carol", "");
  ExpectLine("=== carol [a] b] has quit", Kind::kLeave, "carol", "");
  ExpectLine("=== carol [] has left", Kind::kLeave, "carol", "");
  ExpectOther("=== carol [~c@h] has joined");
  ExpectOther("=== carol [~c@h]has left #ubuntu");
  ExpectOther("=== carol has left #ubuntu");
  ExpectOther("=== [~c@h] has joined #ubuntu");
  ExpectOther("=== carol [~c@h has left");
  ExpectOther("== carol [~c@h] has left");
  ExpectOther("=== mode/#ubuntu [+o carol]  by ChanServ");
}

TEST(IrcLineTest, Renames) {
  ExpectLine("=== a is now known as b", Kind::kRename, "a", "b");
  ExpectLine("=== a[x] is now known as b ", Kind::kRename, "a[x]", "b ");
  ExpectOther("=== a is now known as ");
  ExpectOther("===  is now known as b");
}

TEST(IrcLineTest, AnyBytesAreALine) {
  // No line of few bytes out of the grammar's own alphabet makes the parser fail or point outside
  // of it.
  const std::string alphabet = "[]<> :=#0h";
  std::string line;
  for (uint32_t n = 0; n < 200000; ++n) {
    line = n % 2 == 0 ? "=== " : "[00:00] ";
    for (uint32_t rest = n; rest > 0; rest /= 10) line += alphabet[rest % 10];
    const IrcLine parsed = ParseIrcLine(line);
    ASSERT_LE(parsed.nick.size() + parsed.text.size(), line.size());
    ASSERT_EQ(parsed.nick.empty(), parsed.kind == Kind::kOther) << line;
  }
}

TEST(IrcFileTest, LinesEndWithLfAndLoseOneCr) {
  std::vector<std::string> lines;
  ForEachIrcLine("a\r\n\r\n\nb\r\r\nc\rd\n e",
                 [&](std::string_view line) { lines.emplace_back(line); });
  EXPECT_EQ(lines, (std::vector<std::string>{"a", "b\r", "c\rd", " e"}));
}

// ---- imports

// A transcript: "create alice; join alice; post alice hello".
std::string Import(IrcImport* import, const std::vector<std::string>& lines) {
  std::string told;
  for (const std::string& line : lines) {
    std::vector<IrcAction> actions;
    import->Line(line, &actions);
    for (const IrcAction& action : actions) {
      const char* verbs[] = {"create", "join", "leave", "post"};
      if (!told.empty()) told += "; ";
      told += verbs[static_cast<int>(action.kind)];
      told += ' ' + import->name(action.user);
      if (!action.text.empty()) told += ' ' + std::string(action.text);
    }
  }
  return told;
}

TEST(IrcImportTest, ASenderIsCreatedAndJoinsFirst) {
  IrcImport import({});
  EXPECT_EQ(Import(&import, {"[00:00] <alice> hi", "[00:00] <alice> again"}),
            "create alice; join alice; post alice hi; post alice again");
  EXPECT_EQ(import.counts(), (IrcCounts{.lines = 2, .messages = 2, .users = 1, .joins = 1}));
}

// One who leaves may be a member of whom a repeated run does not know.
TEST(IrcImportTest, JoiningTwiceAndLeavingWhenNoMemberCountAsNothing) {
  IrcImport import({});
  EXPECT_EQ(
      Import(&import, {"=== a [x] has quit", "=== a [x] has joined #u", "=== a [x] has joined #u",
                       "=== a [x] has left #u", "=== a [x] has left #u"}),
      "create a; leave a; join a; leave a; leave a");
  EXPECT_EQ(import.counts(), (IrcCounts{.lines = 5, .users = 1, .joins = 1, .leaves = 1}));
}

TEST(IrcImportTest, ARenamedUserKeepsBothNicks) {
  IrcImport import({});
  EXPECT_EQ(Import(&import, {"=== a is now known as b", "[00:00] <b> 1", "[00:00] <a> 2"}),
            "create a; join a; post a 1; post a 2");
  EXPECT_EQ(import.counts().renames, 1u);
  EXPECT_EQ(import.counts().users, 1u);
}

TEST(IrcImportTest, ARenameToAKnownNickChangesNothing) {
  IrcImport import({});
  EXPECT_EQ(
      Import(&import, {"[00:00] <b> 1", "=== a is now known as b", "[00:00] <b> 2",
                       "=== b is now known as a", "[00:00] <a> 3", "=== a is now known as a"}),
      "create b; join b; post b 1; create a; post b 2; join a; post a 3");
  EXPECT_EQ(import.counts().renames, 0u);
}

TEST(IrcImportTest, ARenameOfANewNickToItselfIsNone) {
  IrcImport import({});
  EXPECT_EQ(Import(&import, {"=== a is now known as a"}), "create a");
  EXPECT_EQ(import.counts().renames, 0u);
}

TEST(IrcImportTest, DeliveriesAreTheOtherMembersOfTheMoment) {
  IrcImport import({});
  Import(&import, {"[00:00] <a> to none", "=== b [x] has joined #u", "=== c [x] has joined #u",
                   "[00:00] <a> to b and c", "=== b [x] has left #u", "[00:00] <c> to a"});
  EXPECT_EQ(import.counts().deliveries, 3u);
}

TEST(IrcImportTest, MembersFromBeforeReceiveAndNeedNotJoin) {
  IrcImport import({"old", "a"});
  EXPECT_EQ(Import(&import, {"[00:00] <a> hi", "=== b [x] has joined #u", "[00:00] <b> hi"}),
            "create a; post a hi; create b; join b; post b hi");
  EXPECT_EQ(import.counts(),
            (IrcCounts{.lines = 3, .messages = 2, .users = 2, .joins = 1, .deliveries = 3}));
}

TEST(HomeOfNickTest, NeverChanges) {
  // Fixed by docs/cli.md: users of earlier imports are found at the same homes.
  EXPECT_EQ(HomeOfNick("alice", 3), 0u);
  EXPECT_EQ(HomeOfNick("ubuntu", 3), 1u);
  EXPECT_EQ(HomeOfNick("carol", 3), 2u);
  EXPECT_EQ(HomeOfNick("anyone", 1), 0u);
}

}  // namespace
}  // namespace homeport::cli
