"""A region is drained for maintenance and let in again, another is blocked: nothing is lost, whatever dies meanwhile;
every region knows, a restart changes nothing, and the journal says what was done, by whom."""

import collections

import cluster as c

USERS = 12
GROUPS = 3
BAD_REQUEST = 18
UNAVAILABLE = 19
REFUSED = 23


def name(number):
    return f"user{number}"


def refused(cluster, code, words, *args):
    try:
        cluster.run(*args)
    except c.CommandFailed as failed:
        c.check(failed.exit_code == code and words in failed.stderr, f"{args}: {failed}")
        return
    raise AssertionError(f"{args}: was not refused")


def homes(cluster, noun="user", key="users"):
    return collections.Counter(one["home"] for one in cluster.json(noun, "list")[key] if "moving" not in one)


def orders(cluster, region):
    (one,) = [r for r in cluster.json("status")["regions"] if r["region"] == region]
    return {o["order"]: o for o in one["orders"] if o["on"]}


def kill_and_wait(cluster, region):
    pid = cluster.kill("region", region)
    cluster.restarted("region", region, None, pid)
    c.wait_for(f"{region} serves", lambda: all(
        r["ready"] for r in cluster.json("status")["regions"] if r["region"] == region))


def history(cluster, kind):
    return [r for r in cluster.json("history")["history"] if r["kind"] == kind]


def check_bad_input(cluster):
    refused(cluster, BAD_REQUEST, "no region nowhere", "region", "drain", "nowhere", "--to", "hk")
    refused(cluster, BAD_REQUEST, "no region nowhere", "region", "drain", "sh", "--to", "hk,nowhere")
    refused(cluster, BAD_REQUEST, "to itself", "region", "drain", "sh", "--to", "hk,sh")
    refused(cluster, BAD_REQUEST, "drain to where", "region", "drain", "sh", "--to", ",")
    refused(cluster, BAD_REQUEST, "a rate is", "region", "drain", "sh", "--to", "hk", "--rate", "fast")
    refused(cluster, BAD_REQUEST, "no region nowhere", "region", "block", "nowhere")
    refused(cluster, BAD_REQUEST, "no record 99", "history", "show", "99")
    c.check(not cluster.json("region", "unblock", "hk")["changed"], "it never was")
    c.check(not cluster.json("region", "undrain", "hk")["changed"], "it never was")
    c.check(cluster.json("history")["history"] == [], "and nothing was done")


def drain(cluster):
    first = cluster.start("region", "drain", "sh", "--to", "hk,ca", "--rate", "1/s")
    c.wait_for("somebody has moved", lambda: homes(cluster)["hk"] + homes(cluster)["ca"] >= 2)
    first.kill()
    first.wait()
    c.check(homes(cluster)["sh"] > 0, "it was killed half-way")
    # What was ordered stands.
    c.check(orders(cluster, "sh")["drain"]["to"] == ["hk", "ca"], "it is drained")
    refused(cluster, REFUSED, "is drained to hk, ca by", "user", "create", "newcomer", "--home", "sh")
    refused(cluster, REFUSED, "is drained to hk, ca by", "region", "drain", "sh", "--to", "hk")
    kill_and_wait(cluster, "sh")
    c.check("drain" in orders(cluster, "sh"), "the order outlives the daemon")
    refused(cluster, REFUSED, "is drained to hk, ca by", "region", "drain", "hk", "--to", "sh")

    done = cluster.json("region", "drain", "sh", "--to", "hk,ca", timeout=180)
    c.check(done["left"] == 0 and done["moved"] > 0, done)
    c.wait_for("nobody is left", lambda: homes(cluster)["sh"] == 0 and homes(cluster, "group", "groups")["sh"] == 0)
    c.check(sum(homes(cluster).values()) == USERS and len(homes(cluster)) == 2, homes(cluster))
    cluster.run("verify")  # all regions know
    refused(cluster, REFUSED, "sh is drained", "user", "migrate", name(0), "--to", "sh")
    return done


def check_history(cluster, done):
    broken_off, whole = history(cluster, "drain")
    c.check(broken_off["state"] == "running", broken_off)  # its command died
    c.check(whole["state"] == "done" and whole["number"] == done["journal"], whole)
    c.check(whole["what"] == "sh --to hk,ca" and whole["region"] == "sh", whole)
    c.check("@" in whole["by"] and whole["program"].startswith("homeport "), whole)
    c.check(whole["counts"]["moved"] == done["moved"], whole)
    (shown,) = cluster.json("history", "show", whole["number"])["records"]
    c.check(shown == whole, shown)
    c.check(b"drain sh --to hk,ca" in cluster.run("history"), "for people, too")
    c.check(b"moved" in cluster.run("history", "show", whole["number"]), "for people, too")


def undrain(cluster):
    c.check(cluster.json("region", "undrain", "sh")["changed"], "undrained")
    c.check(orders(cluster, "sh") == {}, "it is as the others")
    c.wait_for("users come back", lambda: cluster.json("user", "migrate", name(0), "--to", "sh")["moved"] == 1)
    cluster.run("user", "create", "newcomer", "--home", "sh")
    (record,) = history(cluster, "undrain")
    c.check(record["state"] == "done" and record["region"] == "sh", record)


def block(cluster):
    """hk serves nobody, and nobody is sent there; what is sent to its users waits for them."""
    at_hk = next(u["name"] for u in cluster.json("user", "list")["users"] if u["home"] == "hk")
    blocked = cluster.json("region", "block", "hk")
    c.check(blocked["changed"] and sorted(blocked["told"]) == ["ca", "hk", "sh"], blocked)
    c.check("block" in orders(cluster, "hk"), "status says so")
    for via in ("sh", "hk", "ca"):
        refused(cluster, UNAVAILABLE, "hk is blocked by", "send", "--from", at_hk, "--to", "newcomer", "x",
                "--via", via, "--timeout", "2")
    refused(cluster, REFUSED, "hk is blocked by", "user", "migrate", "newcomer", "--to", "hk")
    cluster.run("send", "--from", "newcomer", "--to", at_hk, "it waits")
    again = cluster.json("region", "block", "hk")
    c.check(not again["changed"] and sorted(again["told"]) == ["ca", "hk", "sh"], again)
    kill_and_wait(cluster, "hk")
    refused(cluster, UNAVAILABLE, "hk is blocked by", "send", "--from", at_hk, "--to", "newcomer", "x",
            "--via", "hk", "--timeout", "2")
    c.check(cluster.json("region", "unblock", "hk")["changed"], "unblocked")
    cluster.run("send", "--from", at_hk, "--to", "newcomer", "x")
    c.wait_for("what was sent came", lambda: b"it waits" in [b for _, b in cluster.inbox(at_hk)[0]])
    c.check([r["state"] for r in history(cluster, "block") + history(cluster, "unblock")] == ["done"] * 2, "both")


def main():
    with c.Cluster() as cluster:
        check_bad_input(cluster)
        for i in range(USERS):
            cluster.run("user", "create", name(i), "--home", "sh")
        for i in range(GROUPS):
            cluster.run("group", "create", f"group{i}", "--home", "sh", "--owner", name(i))
            cluster.run("send", "--from", name(i), "--group", f"group{i}", "hello")
        for i in range(USERS):
            cluster.run("send", "--from", name(i), "--to", name((i + 1) % USERS), f"from {i}")
        check_history(cluster, drain(cluster))
        for i in range(USERS):
            bodies = [b.decode() for _, b in cluster.inbox(name(i))[0]]
            c.check(bodies.count(f"from {(i - 1) % USERS}") == 1, f"{name(i)}: {bodies}")
        undrain(cluster)
        block(cluster)
        c.wait_for("all regions are equal", cluster.equal, 60)


main()
