"""Users move between regions while messages flow, daemons are killed and the mover is killed, too: every acknowledged
message is in its receiver's inbox exactly once, wherever that lives, and a live client is moved without a gap."""

import collections
import json
import subprocess
import threading

import cluster as c

USERS = 24
SENDERS = 3
BAD_REQUEST = 18


def name(number):
    return f"user{number}"


class Talker(threading.Thread):
    """Sends numbered messages, each once, among all users."""

    def __init__(self, cluster, number):
        super().__init__(daemon=True)  # it does not outlive a test that fails
        self.cluster = cluster
        self.number = number
        self.stop = threading.Event()
        self.acknowledged = []
        self.unknown = []
        self.failed = None

    def run(self):
        for n in range(1_000_000):
            if self.stop.is_set():
                return
            sender = (n * SENDERS + self.number) % USERS
            receiver = (n * 7 + self.number * 5 + 1) % USERS
            what = (receiver, f"{self.number}:{n}")
            try:
                self.cluster.run("send", "--from", name(sender), "--to", name(receiver), what[1])
                self.acknowledged.append(what)
            except c.CommandFailed as failed:
                if "NO_QUORUM" not in failed.stderr and "UNAVAILABLE" not in failed.stderr:
                    self.failed = failed
                    return
                self.unknown.append(what)


class Listener(threading.Thread):
    """`homeport chat` of user0: reads whatever comes for it, for as long as it runs."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.seen = []
        self.process = subprocess.Popen(
            cluster.command(["chat", name(0), "--to", name(1), "--output", "json"]), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)

    def run(self):
        for line in self.process.stdout:
            self.seen.append(json.loads(line)["text"])

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=120)
        self.join(60)


def homes(cluster):
    return collections.Counter(u["home"] for u in cluster.json("user", "list")["users"] if "moving" not in u)


def refused(cluster, code, words, *args):
    try:
        cluster.run("user", "migrate", *args)
    except c.CommandFailed as failed:
        c.check(failed.exit_code == code and words in failed.stderr, f"{args}: {failed}")
        return
    raise AssertionError(f"{args}: was not refused")


def check_bad_input(cluster):
    refused(cluster, BAD_REQUEST, "is at home in sh already", name(0), "--to", "sh")
    refused(cluster, BAD_REQUEST, "no region nowhere", name(0), "--to", "nowhere")
    refused(cluster, BAD_REQUEST, "no user nobody", "nobody", "--to", "hk")
    refused(cluster, BAD_REQUEST, "nobody moves", "--from", "sh", "--to", "sh")
    refused(cluster, BAD_REQUEST, "a rate is", "--from", "sh", "--to", "hk", "--rate", "fast")
    refused(cluster, 2, "whom?", "--to", "hk")


def kill_and_wait(cluster, region):
    pid = cluster.kill("region", region)
    cluster.restarted("region", region, None, pid)


def move(cluster, *args):
    """Until nobody is left to move: what is interrupted goes on."""
    for _ in range(20):
        try:
            return cluster.json("user", "migrate", *args, timeout=180)
        except c.CommandFailed as failed:
            passing = ("UNAVAILABLE", "NO_QUORUM", "has not been heard of")
            c.check(any(words in failed.stderr for words in passing), failed)
    raise AssertionError(f"{args}: does not come to its end")


def main():
    with c.Cluster() as cluster:
        for i in range(USERS):
            cluster.run("user", "create", name(i), "--home", "sh")
        check_bad_input(cluster)
        one = cluster.json("user", "migrate", name(1), "--to", "ca")
        c.check(one["moved"] == 1 and one["failed"] == 0, one)
        c.check(cluster.json("user", "show", name(1), "--via", "ca")["home"] == "ca", "she lives there now")

        talkers = [Talker(cluster, n) for n in range(SENDERS)]
        listener = Listener(cluster)
        for thread in [*talkers, listener]:
            thread.start()
        # The mover is killed half-way; then both daemons, while it runs again.
        first = cluster.start("user", "migrate", "--from", "sh", "--to", "hk", "--rate", "1/s")
        c.wait_for("somebody has moved", lambda: homes(cluster)["hk"] >= 3)
        first.kill()
        first.wait()
        c.check(homes(cluster)["sh"] > 0, "it was killed half-way")
        second = cluster.start("user", "migrate", "--from", "sh", "--to", "hk", "--rate", "4/s")
        kill_and_wait(cluster, "sh")
        kill_and_wait(cluster, "hk")
        second.wait(timeout=180)
        move(cluster, "--from", "sh", "--to", "hk")
        c.wait_for("all have moved", lambda: homes(cluster) == {"hk": USERS - 1, "ca": 1})
        # Some back, by their names.
        names = "".join(name(i) + "\n" for i in range(0, USERS, 3))
        path = f"{cluster.root}/names"
        with open(path, "w") as file:
            file.write(names)
        move(cluster, "--users", path, "--to", "sh")
        c.wait_for("some are back", lambda: homes(cluster)["sh"] == len(names.split()))
        time_to_talk = [len(t.acknowledged) + 10 for t in talkers]
        c.wait_for("they talk on", lambda: all(
            len(t.acknowledged) >= n or t.failed for t, n in zip(talkers, time_to_talk)), 120)
        for talker in talkers:
            talker.stop.set()
        for talker in talkers:
            talker.join(120)
            c.check(talker.failed is None, f"sending failed: {talker.failed}")

        acknowledged = collections.defaultdict(set)
        unknown = collections.defaultdict(set)
        for talker in talkers:
            for receiver, text in talker.acknowledged:
                acknowledged[receiver].add(text)
            for receiver, text in talker.unknown:
                unknown[receiver].add(text)

        def complete(user):
            return acknowledged[user] <= {b.decode() for _, b in cluster.inbox(name(user))[0]}

        for user in range(USERS):
            c.wait_for(f"all that was acknowledged is with {name(user)}", lambda u=user: complete(u), 60)
            bodies = [b.decode() for _, b in cluster.inbox(name(user))[0]]
            c.check(len(bodies) == len(set(bodies)), f"{name(user)} has something twice")
            c.check(set(bodies) <= acknowledged[user] | unknown[user], f"{name(user)} has what nobody sent")
        c.wait_for("the live client has all, too", lambda: acknowledged[0] <= set(listener.seen), 60)
        c.check(len(listener.seen) == len(set(listener.seen)), "and nothing twice")
        listener.end()
        c.wait_for("all regions are equal", cluster.equal, 60)
        print(f"{sum(map(len, acknowledged.values()))} acknowledged, {sum(map(len, unknown.values()))} unknown")


main()
