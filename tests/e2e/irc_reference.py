"""An independent reading of IRC logs by the import rules of docs/cli.md, for comparison with the importer.

Shares no code with Homeport. `read_logs(files)` says what must have happened: counts, and for each user the
messages it must find in its inbox, in order, as bytes.

    python3 tests/e2e/irc_reference.py FILE...      prints the counts
"""

import re
import sys

MESSAGE = re.compile(rb"\[\d\d:\d\d\] <(.+?)> (.*)", re.DOTALL)
PRESENCE = re.compile(rb"=== (.+?) \[.*?\] +has (joined #|left|quit)", re.DOTALL)
RENAME = re.compile(rb"=== (.+?) is now known as (.+)", re.DOTALL)


class Expected:
    def __init__(self):
        self.counts = dict.fromkeys(
            ["lines", "messages", "users", "joins", "leaves", "renames", "skipped", "deliveries"], 0)
        self.user_of = {}   # nick -> user; the user is named after its first nick
        self.members = {}   # user -> None, in order of joining
        self.inbox = {}     # user -> [(sender, body)]

    def user(self, nick):
        if nick not in self.user_of:
            self.user_of[nick] = nick
            self.inbox[nick] = []
            self.counts["users"] += 1
        return self.user_of[nick]

    def join(self, user):
        if user not in self.members:
            self.members[user] = None
            return True
        return False


def read_line(line, expected):
    counts = expected.counts
    message = MESSAGE.fullmatch(line)
    if message:
        sender = expected.user(message.group(1))
        if expected.join(sender):
            counts["joins"] += 1
        counts["messages"] += 1
        for member in expected.members:
            if member != sender:
                expected.inbox[member].append((sender, message.group(2)))
                counts["deliveries"] += 1
        return
    presence = PRESENCE.match(line)
    if presence:
        user = expected.user(presence.group(1))
        if presence.group(2).startswith(b"joined"):
            if expected.join(user):
                counts["joins"] += 1
        elif user in expected.members:
            del expected.members[user]
            counts["leaves"] += 1
        return
    rename = RENAME.fullmatch(line)
    if rename:
        user = expected.user(rename.group(1))
        if rename.group(2) not in expected.user_of:
            expected.user_of[rename.group(2)] = user
            counts["renames"] += 1
        return
    counts["skipped"] += 1


def read_logs(files):
    expected = Expected()
    for name in files:
        with open(name, "rb") as log:
            for line in log.read().split(b"\n"):
                if line.endswith(b"\r"):
                    line = line[:-1]
                if line:
                    expected.counts["lines"] += 1
                    read_line(line, expected)
    return expected


if __name__ == "__main__":
    print(read_logs(sys.argv[1:]).counts)
