"""A replica's directory is copied while it is stopped, the replica goes on, and the copy is put back: the region's daemon
finds out before the replica takes part, the replica gives the directory up, and is restored from the two others."""

import glob
import os
import shutil
import urllib.error
import urllib.request

import cluster as c
from traffic import Sender, http_of, metric, read


def directory(cluster):
    return os.path.join(cluster.data, "sh", "replica-3")


def while_down(cluster, change):
    """Replica 3 is killed and finds no directory, so it stays down; then `change` of where its directory is now."""
    aside = directory(cluster) + ".aside"
    os.rename(directory(cluster), aside)
    old = cluster.kill("replica", "sh", 3)
    change(aside)
    cluster.restarted("replica", "sh", 3, old, 120)


def logs(cluster):
    text = ""
    for name in glob.glob(os.path.join(cluster.data, "logs", "*.log")):
        with open(name, errors="replace") as log:
            text += log.read()
    return text


def ready(address):
    """The status code of /readyz, and what it says; None when nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
    except OSError:
        return None, ""


def third(cluster):
    return next(r for r in cluster.json("queue", "status", "--region", "sh")["regions"][0]["replicas"] if r["replica"] == 3)


def story(cluster):
    cluster.run("user", "create", "alice", "--home", "sh")
    cluster.run("user", "create", "bob", "--home", "sh")
    _, *replicas = http_of(cluster, "sh")
    sender = Sender(cluster)
    sender.start()
    backup = os.path.join(cluster.root, "backup")
    try:
        sender.flows("messages flow", 10)

        def copy(aside):
            shutil.copytree(aside, backup)
            os.rename(aside, directory(cluster))

        while_down(cluster, copy)
        c.wait_for("replica 3 takes part again", lambda: ready(replicas[2])[0] == 200)
        c.check("replica_is_amnesiac" not in logs(cluster), "a restart is no amnesia")
        sender.flows("messages flow", 10)
        disk = third(cluster)["disk"]

        def put_back(aside):
            shutil.rmtree(aside)
            os.rename(backup, directory(cluster))

        while_down(cluster, put_back)
        c.wait_for("replica 3 has given the directory up",
                   lambda: os.path.isdir(f"{directory(cluster)}.replaced-{disk}"), 120)
        text = logs(cluster)
        c.check(text.count("replica_is_amnesiac") >= 2, "the daemon and the replica say so")
        c.check("replica_gives_up_its_directory" in text, "the daemon says what follows")
        c.wait_for("replica 3 is restored", lambda: metric(replicas[2], "homeport_replica_recovering") == 0
                   and ready(replicas[2])[0] == 200, 180)
        sender.flows("messages flow")
        now = third(cluster)
        c.check(now["disk"] != disk and not now["waiting"] and not now["recovering"], f"a full member: {now}")

        sender.stop.set()
        sender.join()
        c.check(sender.failed is None, f"sending failed: {sender.failed}")
        got = c.wait_for("the region serves", lambda: read(cluster), 180)
        missing = set(sender.sent) - set(got)
        c.check(not missing, f"acknowledged and gone: {sorted(missing)[:10]}")
        c.check(got == sorted(set(got)), "each once, in order")
        cluster.run("verify", timeout=300)
    finally:
        sender.stop.set()


def main():
    with c.Cluster(processes=True, regions="sh,hk") as cluster:
        story(cluster)


main()
