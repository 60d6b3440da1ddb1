"""A replica's directory is lost while messages flow: --replace gives it a new disk, the keeper restores it from the two
others, and then another replica may go: every message is still there."""

import os
import signal
import subprocess

import cluster as c
from traffic import Sender, http_of, metric, read


def lose_directory(cluster, replica):
    """The directory first: what is started in its place finds nothing."""
    path = os.path.join(cluster.data, "sh", f"replica-{replica}")
    os.rename(path, path + ".lost")
    cluster.kill("replica", "sh", replica)


def mending(cluster):
    return cluster.json("queue", "status", "--region", "sh")["regions"][0]["mending"] or {}


def story(cluster):
    cluster.run("user", "create", "alice", "--home", "sh")
    cluster.run("user", "create", "bob", "--home", "sh")
    daemon, *replicas = http_of(cluster, "sh")
    sender = Sender(cluster)
    sender.start()
    sender.flows("messages flow", 20)

    lose_directory(cluster, 3)
    sender.flows("messages flow on two replicas")
    c.wait_for("queue status names the replica that lacks entries",
               lambda: [lack["replica"] for lack in mending(cluster).get("lacking", [])] == [3]
               and not mending(cluster)["lacking"][0]["up"], 60)
    log = open(os.path.join(cluster.root, "replace.log"), "wb")
    replaced = subprocess.Popen(
        [os.path.join(os.environ["HOMEPORT_BIN"], "homeportd"), "--config",
         os.path.join(cluster.data, "cluster.toml"), "--region", "sh", "--role", "replica",
         "--replica", "3", "--replace"], stdout=log, stderr=log)
    try:
        # Its own process, or the supervisor's, which is faster now and then.
        c.wait_for("replica 3 is restored",
                   lambda: metric(replicas[2], "homeport_replica_recovering") == 0, 180)
        sender.flows("messages flow")
        sender.stop.set()
        sender.join()
        c.check(sender.failed is None, f"sending failed: {sender.failed}")
        c.wait_for("every replica has every entry",
                   lambda: metric(daemon, "homeport_queue_under_replicated_entries") in (0, None)
                   and (metric(daemon, "homeport_queue_looks_complete") or 0) == 1
                   and mending(cluster) == {"complete": True, "held_nowhere": 0, "lacking": []}, 180)

        lose_directory(cluster, 1)
        old = cluster.kill("region", "sh")
        cluster.restarted("region", "sh", None, old)
        got = c.wait_for("the region serves again from replicas 2 and 3", lambda: read(cluster), 180)
        missing = set(sender.sent) - set(got)
        c.check(not missing, f"acknowledged and gone: {sorted(missing)[:10]}")
        c.check(got == sorted(set(got)), "each once, in order")
        cluster.run("send", "--from", "alice", "--to", "bob", stdin=b"999999 the end")
        cluster.run("verify", timeout=300)
    finally:
        sender.stop.set()
        if replaced.poll() is None:
            replaced.send_signal(signal.SIGKILL)
        replaced.wait()


def main():
    with c.Cluster(processes=True, regions="sh,hk,ca") as cluster:
        story(cluster)


main()
