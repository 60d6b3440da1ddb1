"""The coordination store of a local cluster: looked at, killed, and away while a region is killed and comes back."""

import os
import signal

import cluster as c


def failed(cluster, code, *args):
    try:
        cluster.run(*args)
    except c.CommandFailed as failure:
        c.check(failure.exit_code == code, f"{args}: exit {failure.exit_code}, not {code}: {failure.stderr}")
        return failure.stderr
    raise AssertionError(f"{args} went well")


def rows(cluster, prefix=""):
    return {row["key"]: row for row in cluster.json("coordination", "list", *([prefix] if prefix else []))["rows"]}


def looked_at(cluster):
    status = cluster.json("coordination", "status")
    c.check(status["kind"] == "embedded" and status["reachable"], f"{status}")
    c.check([m["up"] for m in status["members"]] == [True], f"{status}")
    held = rows(cluster)
    c.check(status["rows"] == len(held) and status["revision"] >= 3, f"{status} {held}")
    for number in (1, 2, 3):
        c.check({f"incarnations/0000{number}", f"epochs/0000{number}"} <= set(held), f"{held}")
    c.check(set(rows(cluster, "epochs/")) == {f"epochs/0000{n}" for n in (1, 2, 3)}, "a prefix")
    c.check(b"incarnations/00001" in cluster.run("coordination", "list"), "as a table")


def killed(cluster):
    before = rows(cluster)
    pid = cluster.kill("coordinator", "")
    cluster.restarted("coordinator", "", None, pid)
    c.check(rows(cluster) == before, "what it had")


def away(cluster):
    """Stopped, not dead: the supervisor leaves it. A region is killed, starts without it, and goes on."""
    coordinator = cluster.find("coordinator", "")["pid"]
    epochs = rows(cluster, "epochs/")
    os.kill(coordinator, signal.SIGSTOP)
    try:
        failed(cluster, 19, "coordination", "status", "--timeout", "1")
        cluster.run("send", "--from", "alice", "--to", "bob", "with the store away")
        pid = cluster.kill("all", "sh")
        cluster.restarted("all", "sh", None, pid)
        cluster.run("send", "--from", "alice", "--to", "bob", "after a restart, with the store away", "--timeout", "60")
    finally:
        os.kill(coordinator, signal.SIGCONT)
    c.wait_for("it answers again", lambda: cluster.json("coordination", "status")["reachable"])
    c.check(rows(cluster, "epochs/") == epochs, "no block was given meanwhile")
    c.wait_for("bob has both", lambda: [m["text"] for m in cluster.json("sync", "bob")["messages"]] ==
               ["with the store away", "after a restart, with the store away"])


def epochs_are_above(cluster):
    """A restart with the store there takes a new block."""
    def revision():
        return rows(cluster, "epochs/")["epochs/00001"]["revision"]
    before = revision()
    pid = cluster.kill("all", "sh")
    cluster.restarted("all", "sh", None, pid)
    c.wait_for("a new block", lambda: revision() > before)


def fenced(cluster):
    """fence = lease: without the store writes are refused, with the reason; reads go on; it passes by itself."""
    cluster.down()
    file = os.path.join(cluster.data, "cluster.toml")
    with open(file) as config:
        text = config.read()
    with open(file, "w") as config:
        config.write(text.replace("[coordination]\n", "[coordination]\nfence = \"lease\"\nlease_seconds = 3\n"))
    cluster.up()
    cluster.run("send", "--from", "alice", "--to", "bob", "with a lease", "--timeout", "60")
    held = {f"leases/0000{n}" for n in (1, 2, 3)}
    c.wait_for("all have leases", lambda: set(rows(cluster, "leases/")) == held)

    def all_accept(wanted):
        return all(r["accepts_writes"] == wanted for r in cluster.json("status")["regions"])
    c.wait_for("all accept writes", lambda: all_accept(True))
    coordinator = cluster.find("coordinator", "")["pid"]
    os.kill(coordinator, signal.SIGSTOP)
    try:
        c.wait_for("none accepts writes", lambda: all_accept(False))
        why = failed(cluster, 19, "send", "--from", "alice", "--to", "bob", "without", "--timeout", "2")
        c.check("accepts no writes while it does not hold its lease" in why, why)
        c.check(b"NO WRITES" in cluster.run("status"), "status says so")
        c.check(cluster.json("sync", "bob")["messages"], "reads go on")
        c.check(cluster.json("status")["regions"][0]["ready"], "it is ready all the same")
    finally:
        os.kill(coordinator, signal.SIGCONT)
    cluster.run("send", "--from", "alice", "--to", "bob", "with a lease again", "--timeout", "60")
    c.wait_for("all accept writes again", lambda: all_accept(True))
    cluster.down()
    with open(file, "w") as config:
        config.write(text)
    cluster.up()


def lost(cluster):
    """Its directory is gone: it does not start, and the regions do."""
    cluster.down()
    kept = os.path.join(cluster.data, "coordination")
    os.rename(kept, kept + ".lost")
    cluster.up()
    cluster.run("send", "--from", "alice", "--to", "bob", "with the store lost", "--timeout", "60")
    failed(cluster, 19, "coordination", "status", "--timeout", "1")
    os.rename(kept + ".lost", kept)
    c.wait_for("it is started again", lambda: cluster.json("coordination", "status")["reachable"])


def without(cluster):
    """A cluster that was made before there was one."""
    cluster.down()
    file = os.path.join(cluster.data, "cluster.toml")
    with open(file) as config:
        text = config.read()
    begin = text.index("[coordination]")
    with open(file, "w") as config:
        config.write(text[:begin] + text[text.index("[[region]]"):])
    cluster.up()
    c.check(all(p["role"] != "coordinator" for p in cluster.processes()), "no coordinator")
    c.check("no coordination store" in failed(cluster, 18, "coordination", "status"), "a sentence")
    cluster.run("send", "--from", "alice", "--to", "bob", "without", "--timeout", "60")


def main():
    with c.Cluster(processes=False) as cluster:
        cluster.run("user", "create", "alice", "--home", "sh")
        cluster.run("user", "create", "bob", "--home", "hk")
        for part in (looked_at, killed, away, epochs_are_above, fenced, lost, without):
            part(cluster)
            print(f"ok: {part.__name__}", flush=True)


main()
