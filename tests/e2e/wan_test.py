"""A cluster whose regions see one another through a WAN box: all of it goes through, and nothing beside it."""

import cluster as c
import wan as w


def texts(cluster, user):
    return [body for _, body in cluster.inbox(user)[0]]


def story(cluster):
    wan = w.of(cluster)
    lines = wan("status")["lines"]
    c.check({(line["from"], line["to"]): line["delay_ms"] for line in lines}
            == {("sh", "hk"): 15, ("hk", "sh"): 15, ("sh", "ca"): 100, ("ca", "sh"): 100, ("hk", "ca"): 90,
                ("ca", "hk"): 90}, lines)
    c.check(all(line["mbit_per_s"] == 100 for line in lines), lines)

    for name, home in (("alice", "sh"), ("bob", "hk"), ("carol", "hk"), ("dora", "ca")):
        cluster.run("user", "create", name, "--home", home)
    cluster.run("send", "--from", "alice", "--to", "bob", stdin=b"first")
    cluster.run("send", "--from", "dora", "--to", "bob", stdin=b"from afar")
    c.wait_for("messages cross", lambda: sorted(texts(cluster, "bob")) == [b"first", b"from afar"])
    cluster.run("verify", timeout=120)
    c.check(all(line["bytes_out"] > 0 for line in wan("status")["lines"]), "every line carries something")

    # A region that is cut off serves its own, and nothing leaves it.
    wan("cut sh<>*")
    cluster.run("send", "--from", "alice", "--to", "bob", stdin=b"held back")
    carried = {(line["from"], line["to"]): line["bytes_out"] for line in wan("status")["lines"]}
    for number in range(20):
        cluster.run("send", "--from", "carol", "--to", "bob", stdin=b"%d" % number)
        cluster.run("send", "--from", "alice", "--to", "alice", stdin=b"%d" % number)
    c.wait_for("inside the regions all goes on", lambda: len(texts(cluster, "bob")) == 22)
    c.check(b"held back" not in texts(cluster, "bob"), "nothing goes beside the WAN box")
    for line in wan("status")["lines"]:
        same = line["bytes_out"] == carried[line["from"], line["to"]]
        c.check(same or "sh" not in (line["from"], line["to"]), f"{line} was cut")

    wan("heal sh<>*")
    c.wait_for("what was held back", lambda: b"held back" in texts(cluster, "bob"))
    cluster.run("verify", timeout=120)

    # Lost connections are made again.
    wan("reset *<>*")
    cluster.run("send", "--from", "alice", "--to", "bob", stdin=b"after all were lost")
    c.wait_for("connections again", lambda: b"after all were lost" in texts(cluster, "bob"))


def main():
    with c.Cluster(up=False) as cluster:
        cluster.run("up", "--detach", "--wan", timeout=180)
        story(cluster)


if __name__ == "__main__":
    main()
