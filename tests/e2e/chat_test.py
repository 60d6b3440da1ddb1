"""`homeport chat`: two people at two terminals, in two regions; one's region is killed under them."""

import json
import subprocess

import cluster as c


class Terminal:
    def __init__(self, cluster, *args):
        self.process = subprocess.Popen(cluster.command(["chat", *args, "--output", "json"]), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def sees(self):
        """The next message."""
        message = json.loads(self.process.stdout.readline())
        return message["from"], message["text"]

    def end(self):
        rest, _ = self.process.communicate(timeout=120)
        c.check(self.process.returncode == 0, f"chat ended with {self.process.returncode}")
        return rest


def main():
    with c.Cluster(processes=False) as cluster:
        for name, home in (("alice", "sh"), ("bob", "hk"), ("carol", "ca")):
            cluster.run("user", "create", name, "--home", home)
        cluster.run("group", "create", "club", "--home", "ca")
        for name in ("alice", "bob", "carol"):
            cluster.run("group", "join", "club", "--user", name)
        cluster.run("send", "--from", "bob", "--to", "alice", "before you came")
        alice = Terminal(cluster, "alice", "--to", "bob")
        bob = Terminal(cluster, "bob", "--to", "alice", "--via", "ca")
        c.check(alice.sees() == ("bob", "before you came"), "what was kept comes first")
        for i in range(5):
            alice.say(f"ping {i} é")
            c.check(bob.sees() == ("alice", f"ping {i} é"), "bob sees it live")
            bob.say(f"pong {i}")
            c.check(alice.sees() == ("bob", f"pong {i}"), "alice sees it live")

        pid = cluster.kill("all", "hk")
        alice.say("while bob's region is down")
        bob.say("so is mine")
        cluster.restarted("all", "hk", None, pid)
        c.check(bob.sees() == ("alice", "while bob's region is down"), "bob sees it after the restart")
        c.check(alice.sees() == ("bob", "so is mine"), "and what he said meanwhile is sent, once")

        # Piped lines, all sent before it ends; a group.
        lines = "".join(f"line {i}\n" for i in range(100)) + "the last, without an end"
        cluster.run("chat", "carol", "--group", "club", stdin=lines.encode())
        got = [alice.sees() for _ in range(101)]
        c.check(got == [("carol", line) for line in lines.splitlines()], got)
        c.check(alice.end() == b"", "nothing else")
        bob.end()
        try:
            cluster.run("chat", "alice", "--to", "bob", stdin=b"x" * 70000 + b"\n")
            c.check([len(b) for _, b in cluster.inbox("bob")[0][-2:]] == [65536, 70000 - 65536], "a long line is cut in two")
        except c.CommandFailed as failed:
            raise AssertionError("a long line is sent in two") from failed
        try:
            cluster.run("chat", "nobody", "--to", "bob")
        except c.CommandFailed as failed:
            c.check("nobody" in failed.stderr, failed.stderr)
        else:
            raise AssertionError("nobody chats")


main()
