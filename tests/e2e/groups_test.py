"""Groups of a running region: a second one is added under load, two replicas of the first die, the first is drained and
retired while the daemon is killed, and its replicas are gone: every acknowledged message is there, in both regions.

And `homeport up` after a group came into the configuration: its replicas are there to be added, in both ways to run."""

import os
import re
import signal
import socket
import subprocess

import cluster as c
from traffic import Sender, http_of, metric, numbers

BAD_REQUEST, UNAVAILABLE = 18, 19


class Processes:
    """Daemons of region sh that the test starts and kills itself; the cluster is up with --no-restart."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.running = {}

    def start(self, role, replica=0, *more):
        command = [os.path.join(os.environ["HOMEPORT_BIN"], "homeportd"), "--config", self.cluster.data + "/cluster.toml",
                   "--region", "sh", "--role", role, *more]
        if replica:
            command += ["--replica", str(replica)]
        log = open(os.path.join(self.cluster.root, f"{role}-{replica}.log"), "ab")
        self.running[role, replica] = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self, role, replica=0):
        process = self.running.pop((role, replica), None)
        if process:
            process.kill()
            process.wait()
        else:
            self.cluster.kill(role, "sh", replica or None)

    def kill_all(self):
        for role, replica in list(self.running):
            self.kill(role, replica)


def refused(cluster, code, words, *args):
    try:
        cluster.run("queue", "group", *args)
    except c.CommandFailed as failed:
        c.check(failed.exit_code == code and words in failed.stderr, f"{args}: {failed}")
        return
    raise AssertionError(f"{args}: was not refused")


def free_ports(cluster, count):
    """Above those of the cluster, which lie below the system's own."""
    port = max(int(address.split(":")[-1]) for addresses in cluster.endpoints() for address in addresses)
    found = []
    while len(found) < count:
        port += 1
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                found.append(port)
            except OSError:
                pass
    return found


def edit_config(cluster, edit):
    path = os.path.join(cluster.data, "cluster.toml")
    with open(path) as config:
        head, sh, hk = re.split(r"(?m)^(?=\[\[region\]\])", config.read())
    with open(path + ".new", "w") as config:
        config.write(head + edit(sh).rstrip() + "\n\n" + hk)
    os.rename(path + ".new", path)


def with_group_2(sh, ports):
    for slot, zone in enumerate("abc"):
        sh += (f'\n[[region.replica]]\nendpoint = "tcp://127.0.0.1:{ports[2 * slot]}"\n'
               f'http = "127.0.0.1:{ports[2 * slot + 1]}"\nzone = "{zone}"\ngroup = 2\n')
    return sh


def without_group_1(sh):
    region, *replicas = re.split(r"(?m)^(?=\[\[region\.replica\]\])", sh)
    return region + "".join(replica for replica in replicas if "group = 2" in replica)


def groups_of(cluster):
    region = cluster.json("queue", "group", "list", "--region", "sh")["regions"][0]
    return {group["group"]: group["state"] for group in region["groups"]}


def ready(cluster):
    try:
        return all(region["ready"] for region in cluster.json("status")["regions"])
    except c.CommandFailed:
        return False


def add_group_2(cluster, processes):
    refused(cluster, BAD_REQUEST, "last active", "drain", "--region", "sh", "--group", "1")
    refused(cluster, BAD_REQUEST, "no group 9", "drain", "--region", "sh", "--group", "9")
    refused(cluster, BAD_REQUEST, "no region xx", "drain", "--region", "xx", "--group", "1")
    refused(cluster, BAD_REQUEST, "has no group 3", "add", "--region", "sh", "--group", "3")
    ports = free_ports(cluster, 6)
    edit_config(cluster, lambda sh: with_group_2(sh, ports))
    refused(cluster, UNAVAILABLE, f"new replica at tcp://127.0.0.1:{ports[0]}", "add", "--region", "sh", "--group", "2")
    for replica in (4, 5, 6):
        processes.start("replica", replica, "--new")
    added = cluster.json("queue", "group", "add", "--region", "sh", "--group", "2", "--wait", "120")
    c.check(added["changed"] and added["done"] and added["group"] == 2, f"{added}")
    again = cluster.json("queue", "group", "add", "--region", "sh", "--group", "2", "--wait", "120")
    c.check(not again["changed"], f"{again}")
    c.check(groups_of(cluster) == {1: "active", 2: "active"}, "two groups")


def drain_group_1(cluster, processes, sender):
    cluster.run("queue", "group", "drain", "--region", "sh", "--group", "1")
    processes.kill("region")
    processes.start("region")
    c.wait_for("the daemon serves again", lambda: ready(cluster), 120)
    c.check(groups_of(cluster).get(1, "draining") == "draining", "a kill -9 does not undo it")
    sender.flows("messages flow while group 1 drains")
    drained = cluster.json("queue", "group", "drain", "--region", "sh", "--group", "1", "--wait", "240", timeout=300)
    c.check(drained["done"], f"{drained}")
    c.check(groups_of(cluster) == {2: "active"}, "group 1 is gone")
    daemon = http_of(cluster, "sh")[0]
    c.wait_for("the daemon's metrics say so", lambda: metric(daemon, "homeport_queue_draining_groups") == 0)
    sender.flows("messages flow without group 1")


def story(cluster, processes):
    cluster.run("user", "create", "alice", "--home", "sh")
    cluster.run("user", "create", "bob", "--home", "hk")
    sender = Sender(cluster)
    sender.start()
    try:
        sender.flows("messages flow")
        add_group_2(cluster, processes)
        sender.flows("messages flow in two groups")

        for replica in (1, 2):
            processes.kill("replica", replica)
        sender.flows("messages flow though two replicas of group 1 are dead")
        refused(cluster, UNAVAILABLE, "group 1 (no answer from 1, 2)", "drain", "--region", "sh", "--group", "1")
        for replica in (1, 2):
            processes.start("replica", replica)
        drain_group_1(cluster, processes, sender)
    finally:
        sender.stop.set()
        sender.join()
    c.check(sender.failed is None, f"sending failed: {sender.failed}")

    # Nothing of group 1 is there any more, and everybody starts anew.
    for replica in (1, 2, 3):
        processes.kill("replica", replica)
    edit_config(cluster, without_group_1)
    processes.kill("region")
    processes.start("region")
    old_hk = cluster.kill("region", "hk")
    c.wait_for("hk is dead", lambda: not os.path.exists(f"/proc/{old_hk}"))
    subprocess_hk = subprocess.Popen(
        [os.path.join(os.environ["HOMEPORT_BIN"], "homeportd"), "--config", cluster.data + "/cluster.toml", "--region",
         "hk", "--role", "region"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    processes.running["region", "hk"] = subprocess_hk
    c.wait_for("both regions serve", lambda: ready(cluster), 120)
    cluster.run("send", "--from", "alice", "--to", "bob", stdin=b"999999 the end")
    cluster.run("verify", timeout=300)
    got = numbers(cluster)
    missing = set(sender.sent) - set(got)
    c.check(not missing, f"acknowledged and gone: {sorted(missing)[:10]}")
    c.check(got == sorted(set(got)) and got[-1] == 999999, "each once, in order")
    dumped = cluster.run("queue", "dump", "sh/0", "--to", "1000000")
    c.check(dumped.count(b"\n") > 0, "the stream is read from group 2")


def drained_by_a_daemon_that_goes_on(cluster):
    daemon = cluster.find("region", "sh")["pid"] if cluster.processes_mode else None
    drained = cluster.json("queue", "group", "drain", "--region", "sh", "--group", "1", "--wait", "120", timeout=200)
    c.check(drained["done"] and groups_of(cluster) == {2: "active"}, f"{drained}")
    if daemon:
        c.check(cluster.find("region", "sh")["pid"] == daemon, "the daemon was not restarted")
    cluster.run("verify", timeout=120)


def added_at_the_next_start(processes):
    with c.Cluster(processes=processes, regions="sh,hk") as cluster:
        cluster.down()
        edit_config(cluster, lambda sh: with_group_2(sh, free_ports(cluster, 6)))
        cluster.up()
        c.check(groups_of(cluster) == {1: "active"}, "nobody added it yet")
        cluster.run("queue", "group", "add", "--region", "sh", "--group", "2", "--wait", "120")
        c.check(groups_of(cluster) == {1: "active", 2: "active"}, "two groups")
        cluster.down()
        cluster.up()
        c.wait_for("both regions serve", lambda: ready(cluster), 120)
        drained_by_a_daemon_that_goes_on(cluster)
        c.wait_for("the region serves", lambda: ready(cluster))
        if not processes:
            return
        # A member's directory that is lost is never made anew.
        cluster.down()
        os.rename(cluster.data + "/sh/replica-4", cluster.root + "/lost")
        done = subprocess.run([os.path.join(os.environ["HOMEPORT_BIN"], "homeportd"), "--config", cluster.data + "/cluster.toml",
                               "--region", "sh", "--role", "replica", "--replica", "4", "--new"], capture_output=True, timeout=60)
        c.check(done.returncode == BAD_REQUEST and b"--replace" in done.stderr, f"{done}")


def main():
    added_at_the_next_start(processes=False)
    added_at_the_next_start(processes=True)
    with c.Cluster(processes=True, regions="sh,hk", up=False) as cluster:
        cluster.run("up", "--detach", "--no-restart", "--processes", "--regions", "sh,hk", "--shards", "2", timeout=180)
        processes = Processes(cluster)
        try:
            story(cluster, processes)
        finally:
            processes.kill_all()


main()
