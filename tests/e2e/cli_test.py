"""The commands of docs/cli.md as a user types them, with their JSON."""

import json
import os
import urllib.request

import cluster as c


def users_and_messages(cluster):
    for user, home in (("alice", "sh"), ("bob", "hk"), ("carol", "ca")):
        made = cluster.json("user", "create", user, "--home", home)
        c.check(made["name"] == user and made["home"] == home, f"create answers {made}")
    c.check({u["name"]: u["home"] for u in cluster.json("user", "list")["users"]} ==
            {"alice": "sh", "bob": "hk", "carol": "ca"}, "user list")
    c.check(cluster.json("user", "show", "bob")["home"] == "hk", "user show")

    cluster.run("send", "--from", "alice", "--to", "bob", "hello bob")
    cluster.run("send", "--from", "carol", "--to", "bob", stdin=b"\xff\x00 any bytes\n")
    cluster.run("send", "--from", "carol", "--to", "bob", stdin=b"")
    c.wait_for("bob has three messages", lambda: len(cluster.inbox("bob")[0]) == 3)
    inbox, answer = cluster.inbox("bob")
    c.check((b"alice", b"hello bob") in inbox, f"{inbox}")
    c.check([m for m in inbox if m[0] == b"carol"] ==
            [(b"carol", b"\xff\x00 any bytes\n"), (b"carol", b"")], f"{inbox}")
    for message in answer["messages"]:
        c.check(set(message) - {"text", "base64"} == {"id", "from", "group", "seq", "place", "sent_at"},
                f"keys of a message: {sorted(message)}")

    # The snapshot acknowledges: nothing again, then only what is new.
    again = cluster.json("sync", "bob", "--snapshot", answer["snapshot"])
    c.check(again["messages"] == [], f"nothing new: {again}")
    cluster.run("send", "--from", "alice", "--to", "bob", "more")
    c.wait_for("the new one only", lambda: [c.body(m) for m in cluster.json(
        "sync", "bob", "--snapshot", again["snapshot"])["messages"]] == [b"more"])


def groups(cluster):
    cluster.run("group", "create", "ubuntu", "--home", "ca")
    for user in ("alice", "bob", "carol"):
        cluster.run("group", "join", "ubuntu", "--user", user)
    cluster.run("group", "join", "ubuntu", "--user", "alice")  # twice: nothing
    shown = cluster.json("group", "show", "ubuntu")
    c.check(shown["home"] == "ca" and sorted(m["name"] for m in shown["members"]) ==
            ["alice", "bob", "carol"], f"{shown}")
    cluster.run("send", "--from", "alice", "--group", "ubuntu", "to all")
    for user in ("bob", "carol"):
        c.wait_for(f"{user} has it", lambda user=user: (b"alice", b"to all") in cluster.inbox(user)[0])
    cluster.run("group", "leave", "ubuntu", "--user", "carol")
    cluster.run("send", "--from", "alice", "--group", "ubuntu", "to the rest")
    c.wait_for("bob has it", lambda: (b"alice", b"to the rest") in cluster.inbox("bob")[0])
    cluster.run("verify", timeout=120)
    c.check((b"alice", b"to the rest") not in cluster.inbox("carol")[0], "carol left")
    c.check(all(b"to" not in body[:2] for _, body in cluster.inbox("alice")[0]), "not to the sender")


def refused(cluster, code, *args):
    try:
        cluster.run(*args)
        c.check(False, f"{args} is refused")
    except c.CommandFailed as failed:
        c.check(failed.exit_code == code, f"{args}: {failed}")


def relations(cluster):
    def relation(user):
        return [(one["name"], one["relation"], one["text"])
                for one in cluster.json("contact", "list", user)["contacts"]]

    c.check(cluster.json("contact", "ask", "alice", "bob", "--text", "hi")["changed"], "asked")
    c.wait_for("bob is asked", lambda: relation("bob") == [("alice", "asking", "hi")])
    cluster.run("contact", "accept", "bob", "alice")
    c.wait_for("friends", lambda: relation("alice") == [("bob", "friends", "")])
    cluster.run("contact", "remark", "alice", "bob", "Bobby")
    c.check(cluster.json("contact", "list", "alice")["contacts"][0]["remark"] == "Bobby", "remark")
    cluster.run("contact", "block", "bob", "carol")
    c.wait_for("carol is refused", lambda: fails(cluster, 23, "send", "--from", "carol", "--to",
                                                 "bob", "are you there"))
    cluster.run("contact", "unblock", "bob", "carol")
    cluster.run("user", "set", "alice", "city=Hamburg")
    c.check(cluster.json("user", "show", "alice", "--via", "sh")["profile"] ==
            [{"name": "city", "value": "Hamburg"}], "profile")


def fails(cluster, code, *args):
    try:
        cluster.run(*args)
        return False
    except c.CommandFailed as failed:
        return failed.exit_code == code


def devices(cluster):
    number = cluster.json("device", "register", "bob", "--install", "77", "--name", "phone")
    c.check(number == {"device": 1}, f"{number}")
    c.check(cluster.json("device", "register", "bob", "--install", "77", "--name",
                         "phone") == number, "the same again")
    answer = cluster.json("sync", "bob", "--device", "1")
    c.check(answer["account"]["name"] == "bob" and answer["messages"], f"{answer}")
    again = cluster.json("sync", "bob", "--device", "1", "--snapshot", answer["snapshot"])
    c.check(again["messages"] == [] and "account" not in again, f"{again}")
    refused(cluster, 18, "sync", "bob", "--device", "2")
    refused(cluster, 18, "sync", "bob", "--snapshot", answer["snapshot"])
    listed = cluster.json("device", "list", "bob")["devices"]
    c.check([(d["device"], d["name"]) for d in listed] == [(1, "phone")], f"{listed}")
    c.check(cluster.json("device", "remove", "bob", "1")["changed"], "removed")


def positions(cluster):
    sent = cluster.json("send", "--from", "alice", "--to", "bob", "read me")["id"]

    def last():
        messages = cluster.json("sync", "bob")["messages"]
        return messages[-1] if messages and messages[-1]["id"] == sent else None

    place = c.wait_for("the message", last)["place"]
    refused(cluster, 18, "read", "bob", "--with", "carol", "--through", place)
    refused(cluster, 18, "read", "bob", "--with", "alice", "--through", "17")
    c.check(cluster.json("read", "bob", "--with", "alice", "--through", place)["changed"], "read")
    c.check(not cluster.json("read", "bob", "--with", "alice")["changed"], "read already")
    own = cluster.json("sync", "bob")["conversations"]
    c.check([(o["with_name"], o["read"]) for o in own] == [("alice", {"place": place, "id": sent})], f"{own}")

    def told():
        return [(o["with_name"], o["read"], o["peer_read"], o["peer_delivered"])
                for o in cluster.json("sync", "alice").get("conversations", [])]

    c.wait_for("alice is told", lambda: told() == [("bob", None, sent, sent)])
    # A recall comes last in the inbox and says nothing of what came before it.
    kept = cluster.json("send", "--from", "alice", "--to", "bob", "and me")["id"]
    oops = cluster.json("send", "--from", "alice", "--to", "bob", "oops")
    cluster.run("recall", "--from", "alice", "--id", oops["client_message_id"])
    c.wait_for("the recall", lambda: cluster.json("sync", "bob")["messages"][-1].get("recall"))
    c.check(cluster.json("read", "bob", "--with", "alice")["changed"], "read to the last message")
    read = cluster.json("sync", "bob")["conversations"][0]["read"]["id"]
    c.check(read == oops["id"] and read != kept, f"{read}")


def records(cluster):
    c.check(cluster.json("record", "put", "alice", "drafts", "bob", '{"text": "hi"}')["changed"], "put")
    c.check(not cluster.json("record", "put", "alice", "drafts", "bob", '{"text": "hi"}')["changed"], "so already")
    cluster.run("record", "put", "alice", "drafts", "carol", "later")
    got = cluster.json("record", "get", "alice", "drafts", "bob")
    c.check((got["key"], got["value"]) == ("bob", '{"text": "hi"}'), f"{got}")
    version = got["version"]
    again = ("record", "put", "alice", "drafts", "bob", "again", "--if-version")
    refused(cluster, 23, *again, "none")
    refused(cluster, 23, *again, "0.0.99")
    refused(cluster, 18, *again, "newest")
    newer = cluster.json(*again, version)["version"]
    refused(cluster, 23, *again, version)
    for level in (["--any", "--via", "sh"], ["--at-least", newer, "--via", "ca"], []):
        read = cluster.json("record", "get", "alice", "drafts", "bob", *level)
        c.check(read["version"] == newer and read["value"] == "again", (level, read))
    cluster.run("record", "put", "alice", "drafts", "bob", '{"text": "hi"}', "--if-version", newer)
    c.check(cluster.json("record", "delete", "alice", "drafts", "carol")["changed"], "deleted")
    listed = cluster.json("record", "list", "alice", "drafts")["records"]
    c.check([r["key"] for r in listed] == ["bob"], f"{listed}")
    refused(cluster, 18, "record", "get", "alice", "drafts", "carol")
    refused(cluster, 18, "record", "put", "alice", "No Table", "k", "v")


def owned_groups(cluster):
    cluster.run("group", "create", "club", "--home", "hk", "--owner", "alice", "--title", "Club")
    cluster.run("group", "add", "club", "--by", "alice", "--user", "bob")
    refused(cluster, 23, "group", "rename", "club", "--by", "bob", "--title", "Mine")
    cluster.run("group", "close", "club", "--by", "alice")
    refused(cluster, 23, "group", "join", "club", "--user", "carol")
    sent = cluster.json("send", "--from", "alice", "--group", "club", "oops")
    events = lambda: [m.get("event") for m in cluster.json("sync", "bob")["messages"]
                      if m["group"] == "club"]
    c.wait_for("bob has all", lambda: events() == ["added", "closed", None])
    c.check(cluster.json("recall", "--from", "alice", "--id", sent["client_message_id"])["changed"],
            "recalled")
    c.wait_for("it is gone", lambda: [
        (m["text"], m.get("recalled"), m.get("recall"))
        for m in cluster.json("sync", "bob")["messages"] if m["id"] == sent["id"]] ==
        [("", True, None), ("", None, True)])
    cluster.run("verify", timeout=120)


def operations(cluster):
    status = cluster.json("status")
    roles = [(p["role"], p["region"]) for p in status["processes"]]
    c.check(len(roles) == 13 and roles.count(("replica", "sh")) == 3, f"processes: {roles}")
    c.check(("coordinator", "") in roles, f"processes: {roles}")
    c.check(all({"role", "region", "replica", "pid"} <= set(p) for p in status["processes"]), "keys")
    _, http = cluster.endpoints()
    for address in http:
        for path in ("/metrics", "/healthz", "/readyz"):
            answer = urllib.request.urlopen(f"http://{address}{path}", timeout=10)
            c.check(answer.status == 200, f"{address}{path}: {answer.status}")


def queue_tools(cluster):
    status = cluster.json("queue", "status")
    c.check([r["region"] for r in status["regions"]] == ["sh", "hk", "ca"], f"{status}")
    for region in status["regions"]:
        c.check([r["up"] for r in region["replicas"]] == [True] * 3, f"{region['replicas']}")
        c.check(len({r["disk"] for r in region["replicas"]}) == 3, "three disks")
        c.check(region["streams"] and not any(s["taking_over"] for s in region["streams"]), "streams")
    only = cluster.json("queue", "status", "--region", "hk")
    c.check([r["region"] for r in only["regions"]] == ["hk"], f"{only}")

    # All of one stream, as it is and decoded.
    home = cluster.json("user", "show", "alice")
    busiest = max(status["regions"][0]["streams"], key=lambda s: s["committed"])
    stream, committed = busiest["stream"], busiest["committed"]
    lines = [json.loads(line) for line in cluster.run(
        "queue", "dump", stream, "--to", committed).splitlines()]
    # On a slow machine the stream was trimmed meanwhile.
    first = lines[0]["seq"]
    c.check([line["seq"] for line in lines] == list(range(first, committed + 1)), f"{stream}: dump")
    trimmed = max(s["trimmed"] for s in cluster.json("queue", "status")["regions"][0]["streams"] if s["stream"] == stream)
    c.check(first == 1 or trimmed >= first - 1, f"{stream}: begins with {first}, trimmed {trimmed}")
    decoded = cluster.json("queue", "inspect", stream, "--from", first, "--count", committed)["entries"]
    if first == 1:
        c.check(lines[0]["base64"] == "", "the first entry is a writer's Open")
        c.check([e["kind"] for e in decoded[:1]] == ["open"], f"{decoded[:1]}")
    c.check(all(e["kind"] in ("open", "entry") for e in decoded), "every entry can be decoded")
    c.check([e["seq"] for e in decoded] == [line["seq"] for line in lines], "inspect and dump agree")
    tables = {e.get("table") for entry in decoded for e in entry.get("effects", [])}
    c.check("account" in tables or "name" in tables, f"{stream} of {home['home']}: tables {tables}")

    out = os.path.join(cluster.root, "dump.jsonl")
    cluster.run("queue", "dump", stream, "--from", committed - 1, "--to", committed, "--out", out)
    with open(out) as dumped:
        c.check([json.loads(line)["seq"] for line in dumped] == [committed - 1, committed], "dump to a file")
    for args, code in ((("dump", stream, "--out", out), 21), (("inspect", "sh/99"), 18)):
        try:
            cluster.run("queue", *args)
            c.check(False, f"{args} is refused")
        except c.CommandFailed as failed:
            c.check(failed.exit_code == code, f"{args}: {failed}")


def survives_a_restart(cluster):
    before = {u: cluster.inbox(u)[0] for u in ("alice", "bob", "carol")}
    directory = os.path.join(cluster.data, "sh", "replica-1")
    try:
        cluster.run("queue", "verify", directory)
        c.check(False, "a directory in use is not verified")
    except c.CommandFailed as failed:
        c.check(failed.exit_code != 1, f"in use: {failed}")
    cluster.down()
    queue_verify(cluster, directory)
    cluster.up()
    cluster.run("verify", timeout=120)
    for user, inbox in before.items():
        c.check(cluster.inbox(user)[0] == inbox, f"{user}'s inbox after a restart")


def queue_verify(cluster, directory):
    good = cluster.json("queue", "verify", directory)
    c.check(good["intact"] and good["would_start"], f"{good}")
    c.check((good["identity"]["region"], good["identity"]["replica"]) == ("sh", 1), f"{good['identity']}")
    c.check(sum(s["committed"] for s in good["streams"]) > 0, f"{good['streams']}")
    c.check(all(s["missing"] == 0 and not s["doubtful"] for s in good["streams"]), f"{good['streams']}")

    path = os.path.join(directory, good["segments"][0]["segment"])
    flip(path, 5000)
    try:
        cluster.json("queue", "verify", directory)
        c.check(False, "a flipped bit is found")
    except c.CommandFailed as failed:
        c.check(failed.exit_code == 1, f"corrupt: {failed}")
    flip(path, 5000)
    cluster.run("queue", "verify", directory)


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def main():
    with c.Cluster() as cluster:
        users_and_messages(cluster)
        groups(cluster)
        relations(cluster)
        devices(cluster)
        positions(cluster)
        records(cluster)
        owned_groups(cluster)
        operations(cluster)
        queue_tools(cluster)
        survives_a_restart(cluster)


main()
