"""Clients by HTTP and by WebSocket: send, sync, news, MOVED; bad input; slow and fast clients. Nothing of it ends a process."""

import os
import random
import re
import socket
import struct
import threading
import urllib.request

import api
import api_cluster
import cluster as c
import zmtp


def send(gateway, sender, number, text, **to):
    return gateway.must("POST", "/v1/send", {"from": sender, "client_message_id": str(number), "text": text, **to})


def drain(gateway, user, snapshot="", **args):
    messages = []
    while True:
        page = gateway.must("POST", "/v1/sync", {"user": user, "snapshot": snapshot, **args})
        messages += page["messages"]
        snapshot = page["snapshot"]
        if not page["more"]:
            return messages, snapshot


def short_connections(cluster, urls):
    sh = api.Api(urls["sh"])
    hello = sh.must("GET", "/v1/hello")
    c.check(hello["region"] == "sh" and len(hello["regions"]) == 3, hello)
    c.check({r["region"]: r["api"] for r in hello["regions"]} == urls, f"{hello} names all gateways")
    alice, bob = api.create(urls["sh"], "user", "alice"), api.create(urls["hk"], "user", "bob é")
    found = c.wait_for("sh knows bob", lambda: sh.must("GET", "/v1/names/user/bob%20%C3%A9")["account"])
    c.check(found["uin"] == bob and found["home"] == "hk" and found["name"] == "bob é", found)
    c.check(sh.must("GET", f"/v1/accounts/{alice}")["account"]["name"] == "alice", "by uin")
    c.check(sh.must("GET", "/v1/names/user/nobody") == {"account": None, "bound": None}, "no such name")

    first = send(sh, alice, 1, "hello", to=bob)
    c.check(send(sh, alice, 1, "hello", to=bob) == first, "the same again is the same message")
    status, problem = api.Api(urls["ca"]).post("/v1/send", {"from": alice, "client_message_id": "2", "to": bob, "text": "x"})
    c.check(status == 421 and problem["title"] == "MOVED" and problem["home"]["api"] == urls["sh"], problem)
    home = api.Api(problem["home"]["api"])
    home.must("POST", "/v1/send", {"from": alice, "client_message_id": "2", "to": bob, "base64": "/wA="})
    hk = api.Api(urls["hk"])
    page = hk.must("POST", "/v1/sync", {"user": bob, "wait_ms": 20000})
    messages, snapshot = page["messages"], page["snapshot"]
    while len(messages) < 2:
        page = hk.must("POST", "/v1/sync", {"user": bob, "snapshot": snapshot, "wait_ms": 20000})
        messages, snapshot = messages + page["messages"], page["snapshot"]
    c.check([m.get("text") or m["base64"] for m in messages] == ["hello", "/wA="], messages)
    c.check(messages[0]["sender"] == alice and messages[0]["sender_name"] == "alice", messages)
    c.check(messages[0]["group"] is None and messages[0]["id"] == first["id"], messages)

    group = api.create(urls["ca"], "group", "club")
    ca = api.Api(urls["ca"])
    for user in (alice, bob):
        c.check(ca.must("POST", f"/v1/groups/{group}/join", {"user": user}) == {"changed": True}, "joined")
    c.check(set(ca.must("GET", f"/v1/groups/{group}/members")["members"]) == {alice, bob}, "two members")
    send(sh, alice, 3, "to all", group=group)
    place = ca.must("POST", f"/v1/groups/{group}/sequenced", {"sender": alice, "client_message_id": "3", "wait_ms": 20000})
    c.check(place == {"seq": 1}, place)
    page = hk.must("POST", "/v1/sync", {"user": bob, "snapshot": snapshot, "wait_ms": 20000})
    c.check(page["messages"][0]["group_name"] == "club" and page["messages"][0]["seq"] == 1, page)
    c.check(ca.must("POST", f"/v1/groups/{group}/leave", {"user": bob}) == {"changed": True}, "left")
    # Seen by the C++ client as well.
    c.check([text for _, text in cluster.inbox("bob é")[0]] == [b"hello", b"\xff\0", b"to all"], "the same inbox")
    return alice, bob


def stream(urls, alice, bob):
    sh = api.Api(urls["sh"])
    c.check([api.register(urls["hk"], bob, install) for install in (7, 8, 9, 7)] == [1, 2, 3, 1], "three devices")
    hk = api.Api(urls["hk"])
    c.check(hk.must("DELETE", f"/v1/users/{bob}/devices/3") == {"changed": True}, "one is lost")
    page = hk.must("POST", "/v1/sync", {"user": bob})
    c.check([d["device"] for d in page["devices"]] == [1, 2] and page["account"]["uin"] == bob, page)
    _, snapshot = drain(api.Api(urls["hk"]), bob, device=1)
    # At the wrong region it is told where to go.
    lost = api.WebSocket(urls["ca"])
    lost.send({"subscribe": {"user": bob, "device": 1, "snapshot": snapshot}})
    moved = lost.receive()["moved"]
    c.check(moved["region"] == "hk" and moved["api"] == urls["hk"], moved)
    lost.close()

    live = api.WebSocket(moved["api"])
    live.send({"subscribe": {"user": bob, "device": 1, "snapshot": snapshot}})
    for number in range(10, 15):
        send(sh, alice, number, f"live {number}", to=bob)
        c.check(live.receive() == {"news": {"user": bob, "device": 1}}, "news")
        page = live.ask("sync", {"user": bob, "device": 1, "snapshot": snapshot}, number)["sync"]
        snapshot = page["snapshot"]
        c.check([m["text"] for m in page["messages"]] == [f"live {number}"], page)
    place, last = page["messages"][0]["place"], page["messages"][0]["id"]
    c.check(live.ask("mark_read", {"user": bob, "with": alice, "through": place}, "r")["mark_read"]["changed"], "read")
    c.wait_for("alice is told", lambda: [o["peer_read"] for o in sh.must("POST", "/v1/sync", {"user": alice})["conversations"]]
               == [last])

    def changed():
        page = live.ask("sync", {"user": bob, "device": 1, "snapshot": snapshot}, "s")["sync"]
        return page if page["conversations"] else None

    page = c.wait_for("bob's devices see it", changed)
    c.check([o["read"]["place"] for o in page["conversations"]] == [place], page)
    snapshot = page["snapshot"]
    # Sending on the stream, and several requests at once.
    sent = live.ask("send", {"from": bob, "client_message_id": "1", "to": alice, "text": "back"}, "x")
    c.check("id" in sent["send"], sent)
    for number in range(5):
        live.send({"id": number, "show": {"uin": alice}})
    answers = [live.receive() for _ in range(5)]
    c.check(sorted(a["id"] for a in answers) == list(range(5)), answers)
    c.check(live.ask("dance", {})["error"]["title"] == "BAD_REQUEST", "no such request")
    c.check(live.ask("send", {"from": alice, "client_message_id": "9", "to": bob, "text": ""})["error"]["home"]["region"]
            == "sh", "requests on a stream are sent home too")

    # A second stream of the device takes over; another device does not.
    other = api.WebSocket(urls["hk"])
    other.send({"subscribe": {"user": bob, "device": 2, "snapshot": drain(api.Api(urls["hk"]), bob, device=2)[1]}})
    second = api.WebSocket(urls["hk"])
    second.send({"subscribe": {"user": bob, "device": 1, "snapshot": snapshot}})
    c.check(live.receive() == {"replaced": {"user": bob, "device": 1}}, "replaced")
    send(sh, alice, 20, "for two", to=bob)
    for device, one in ((1, second), (2, other)):
        c.check(one.receive() == {"news": {"user": bob, "device": device}}, "news")
    for one in (live, second, other):
        one.close()
    status, news = api.Api(urls["hk"]).post("/v1/news", {"user": bob, "device": 2, "snapshot": ""})
    c.check(status == 200 and news["news"], news)


def changes(urls, alice, bob):
    sh, hk = api.Api(urls["sh"]), api.Api(urls["hk"])
    done = {"changed": True}
    c.check(sh.must("POST", f"/v1/users/{alice}/profile", {"profile": [{"name": "city", "value": "Kiel"}]}) == done, "set")
    profile = sh.must("GET", f"/v1/accounts/{alice}")["account"]["profile"]
    c.check(profile == [{"name": "city", "value": "Kiel"}], profile)

    def relation(door, user):
        found = [one for one in door.must("POST", "/v1/sync", {"user": user})["contacts"]]
        return found[0]["relation"] if found else None

    c.check(sh.must("POST", f"/v1/users/{alice}/contacts/{bob}/ask", {"text": "it is me"}) == done, "asked")
    c.wait_for("bob is asked", lambda: relation(hk, bob) == "asking")
    c.check(hk.must("POST", f"/v1/users/{bob}/contacts/{alice}/ask", {}) == done, "accepted")
    c.wait_for("friends", lambda: relation(sh, alice) == "friends")
    c.check(sh.must("POST", f"/v1/users/{alice}/contacts/{bob}/remark", {"remark": "Bobby"}) == done, "remarked")
    c.check(sh.must("POST", f"/v1/users/{alice}/contacts/{bob}/block", {}) == done, "blocked")
    c.check(sh.must("POST", f"/v1/users/{alice}/contacts/{bob}/block", {"blocked": False}) == done, "and no longer")
    c.check(sh.must("DELETE", f"/v1/users/{alice}/contacts/{bob}") == done, "ended")
    c.wait_for("for both", lambda: relation(hk, bob) == "none")

    uin = sh.must("POST", "/v1/uins")["uin"]
    sh.must("POST", "/v1/names", {"kind": "group", "name": "owned", "uin": uin})
    c.check(sh.must("POST", "/v1/groups", {"uin": uin, "name": "owned", "owner": alice, "title": "Ours"}) == done, "made")
    path = f"/v1/groups/{uin}"
    c.check(sh.must("POST", path + "/members", {"by": alice, "user": bob}) == done, "added")
    status, problem = sh.post(path + "/rename", {"by": bob, "title": "Mine"})
    c.check(status == 403 and problem["title"] == "REFUSED", problem)
    c.check(sh.must("POST", path + "/rename", {"by": alice, "title": "Yours"}) == done, "renamed")
    c.check(sh.must("POST", path + "/close", {"by": alice}) == done, "closed")
    c.check(sh.must("POST", path + "/transfer", {"by": alice, "to": bob}) == done, "transferred")
    c.check(sh.must("DELETE", f"{path}/members/{alice}?by={bob}") == done, "removed")
    group = sh.must("GET", f"/v1/accounts/{uin}")["account"]
    c.check((group["owner"], group["title"], group["closed"], group["members"]) == (bob, "Yours", True, 1), group)

    table = f"/v1/users/{alice}/records/drafts"
    c.check(sh.must("PUT", table + "/to%20bob", {"value": "dear"}) == done, "a record")
    page = sh.must("POST", table, {})
    c.check([(r["key"], r["value"]) for r in page["records"]] == [("to bob", "dear")], page)
    c.check(sh.must("DELETE", table + "/to%20bob") == done, "it goes")
    page = sh.must("POST", table, {"snapshot": page["snapshot"], "wait_ms": 20000})
    c.check(page["records"] == [{"key": "to bob", "deleted": True}], page)
    # A copy that comes late, after another device put the same key, changes nothing.
    first = {"value": "of the phone", "client_message_id": "77"}
    c.check(sh.must("PUT", table + "/k", first) == done, "put once")
    c.check(sh.must("PUT", table + "/k", {"value": "of the desk"}) == done, "put by another")
    c.check(sh.must("PUT", table + "/k", first) == done, "the first answer")
    page = sh.must("POST", table, {"snapshot": page["snapshot"]})
    c.check([(r["key"], r["value"]) for r in page["records"]] == [("k", "of the desk")], page)
    live = api.WebSocket(urls["sh"])
    at = sh.must("POST", "/v1/sync", {"user": alice})
    while at["more"]:
        at = sh.must("POST", "/v1/sync", {"user": alice, "snapshot": at["snapshot"]})
    live.send({"subscribe": {"user": alice, "snapshot": at["snapshot"],
                             "records": [{"table": "drafts", "snapshot": page["snapshot"]}]}})
    c.check(sh.must("PUT", table + "/k", {"value": "later"}) == done, "put while a stream waits")
    told = live.receive()
    c.check(told == {"record_news": {"user": alice, "device": 0, "tables": ["drafts"]}}, told)
    got = live.ask("records", {"user": alice, "table": "drafts", "snapshot": page["snapshot"]})["records"]
    c.check([r["value"] for r in got["records"]] == ["later"], got)
    c.check(sh.must("DELETE", table + "/k") == done, "and it goes")
    told = live.receive()
    c.check("record_news" in told, told)
    live.close()
    status, problem = sh.post(table[:-1], {"snapshot": page["snapshot"]})
    c.check(status == 400 and problem["title"] == "BAD_REQUEST", problem)
    send(sh, alice, 900, "oops", to=bob)
    c.check(sh.must("POST", "/v1/recall", {"from": alice, "client_message_id": "900"}) == done, "recalled")
    c.check(sh.must("POST", "/v1/recall", {"from": alice, "client_message_id": "900"}) == {"changed": False}, "once")


def problems(urls, alice, bob):
    sh = api.Api(urls["sh"])

    def refused(method, path, body, http_status, title, word=""):
        status, problem = sh.request(method, path, body)
        c.check(status == http_status and problem["status"] == http_status and problem["title"] == title
                and word in problem["detail"], f"{method} {path} {str(body)[:80]}: {status} {problem}")
        c.check(sh.headers["Content-Type"] == "application/problem+json", sh.headers)
        return problem
    message = {"from": alice, "client_message_id": "50", "to": bob}
    refused("GET", "/", None, 404, "BAD_REQUEST")
    refused("GET", "/v1/send", None, 405, "BAD_REQUEST")
    c.check(sh.headers["Allow"] == "POST", sh.headers)
    refused("GET", "/v1/stream", None, 426, "BAD_REQUEST")
    refused("POST", "/v1/send", b"{", 400, "BAD_REQUEST")
    refused("POST", "/v1/send", b"[" * 100000, 400, "BAD_REQUEST", "nested")
    refused("POST", "/v1/send", {**message, "text": "x", "extra": 1}, 400, "BAD_REQUEST", "extra")
    refused("POST", "/v1/send", b'{"from": "\xff"}', 400, "BAD_REQUEST")
    too_large = refused("POST", "/v1/send", {**message, "text": "x" * 65537}, 413, "TOO_LARGE")
    c.check(too_large["limit"] == 65536, too_large)
    refused("POST", "/v1/send", {**message, "text": "x" * 300000}, 413, "TOO_LARGE")
    sh.must("POST", "/v1/send", {**message, "text": "\x01" * 65536})  # six bytes each in JSON
    refused("POST", "/v1/sync", {"user": alice, "snapshot": "forged"}, 400, "BAD_REQUEST")
    nobody = str((int(alice) >> 48 << 48) + 10**9)
    refused("POST", "/v1/sync", {"user": nobody}, 400, "BAD_REQUEST", "no user")
    uin = sh.must("POST", "/v1/uins")["uin"]
    refused("POST", "/v1/accounts", {"uin": uin, "kind": "user", "name": "a\tb"}, 400, "BAD_REQUEST")


def pages_of_other_sites(urls):
    for headers, allowed in (({}, True), ({"Origin": "http://chat.example"}, True),
                             ({"Origin": "http://evil.example"}, False), ({"Origin": "null"}, False)):
        gateway = api.Api(urls["sh"])
        status, _ = gateway.request("GET", "/v1/hello", headers=headers)
        c.check(status == (200 if allowed else 403), f"{headers}: {status}")
        told = gateway.headers["Access-Control-Allow-Origin"]
        c.check(told == (headers.get("Origin") if allowed else None), f"{headers}: told {told}")
        text = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        c.check(api.WebSocket(urls["sh"], headers=text).status == (101 if allowed else 403), headers)
    gateway = api.Api(urls["sh"])
    status, _ = gateway.request("OPTIONS", "/v1/send", headers={"Origin": "http://chat.example",
                                                                "Access-Control-Request-Method": "POST"})
    allowed = set(gateway.headers["Access-Control-Allow-Methods"].split(", "))
    with open(os.path.join(os.path.dirname(__file__), "../../docs/openapi.yaml")) as page:
        routes = {line.strip(" :\n").upper() for line in page if re.fullmatch("    (get|put|post|delete|patch):", line.rstrip())}
    c.check(status == 204 and routes <= allowed, f"{allowed} of {routes}")


def raw_http(address, data):
    """All that comes back until the gateway hangs up; nothing when it does so without a word."""
    sock = zmtp.connect("tcp://" + address.removeprefix("http://"))
    try:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while part := sock.recv(65536):
            answer += part
        return answer
    except (ConnectionError, socket.timeout) as error:
        c.check(not isinstance(error, socket.timeout), f"no end of {data[:60]}")
        return b""
    finally:
        sock.close()


def malformed_http(urls, seed):
    chance = random.Random(seed)
    get = b"GET /v1/hello HTTP/1.1\r\nHost: x\r\n"
    for data, status in (
            (b"\0\xff" * 5000 + b"\r\n\r\n", 400),
            (b"GET\r\n\r\n", 400),
            (b"GET /v1/hello HTTP/9.9\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nno colon here\r\n\r\n", 400),
            (get + b"X: " + b"y" * 20000 + b"\r\n\r\n", None),
            (get + b"".join(b"X%d: y\r\n" % i for i in range(5000)) + b"\r\n", None),
            (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n", None),
            (b"POST /v1/send HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
            (b"POST /v1/send HTTP/1.1\r\nContent-Length: 600000\r\n\r\n" + b"x" * 600000, 413),
            (b"POST /v1/send HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            (b"POST /v1/send HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
            (b"POST /v1/send HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
            (b"POST /v1/send HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"ffffffffffffffff\r\nx", None),
            (b"POST /v1/send HTTP/1.1\r\nContent-Length: 10\r\n\r\nhell", None),
            (b"POST /v1/send HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(500), 400)):
        answer = raw_http(urls["sh"], data)
        if status is not None:
            c.check(answer.startswith(b"HTTP/1.1 %d " % status), f"{data[:60]}: {answer[:200]}")
    for _ in range(200):
        raw_http(urls["sh"], chance.randbytes(chance.randint(1, 300)))
        noise = bytearray(get + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        for _ in range(chance.randint(1, 5)):
            noise[chance.randrange(len(noise))] = chance.randrange(256)
        raw_http(urls["sh"], bytes(noise))
    # Several requests in one go are answered in their order, one after the other.
    answer = raw_http(urls["sh"], get + b"\r\n" + b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n" + get + b"Connection: close\r\n\r\n")
    c.check(re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"404", b"200"], answer)


def close_code(gateway, *frames, **flags):
    stream_ = api.WebSocket(gateway)
    try:
        for opcode, data in frames:
            stream_.send_frame(opcode, data, **flags)
        while True:
            stream_.receive()
    except api.Closed as closed:
        return closed.code
    except ConnectionError:
        return None
    finally:
        stream_.close()


def malformed_streams(urls, seed):
    chance = random.Random(seed)
    url = urls["sh"]
    c.check(close_code(url, (2, b"binary")) == 1003, "binary")
    c.check(close_code(url, (1, b"\xff\xfe")) == 1007, "no UTF-8")
    code = close_code(url, (1, b" " * (513 << 10)))
    c.check(code in (1009, None), f"too large: {code}")  # who still sends may be cut off before it reads why
    c.check(close_code(url, (3, b"")) == 1002, "no such opcode")
    c.check(close_code(url, (9, b"x" * 126)) == 1002, "a ping of 126 bytes")
    c.check(close_code(url, (1, b"{}"), mask=False) == 1002, "no mask")
    c.check(close_code(url, (8, struct.pack(">H", 1000) + b"bye")) == 1000, "a close is answered")
    for _ in range(100):
        stream_ = api.WebSocket(url)
        stream_.sock.sendall(chance.randbytes(chance.randint(1, 200)))
        stream_.close()
    stream_ = api.WebSocket(url)
    for text in (b"", b"{", b"7", b"[]", b"{}", b'{"id": {}}', b'{"subscribe": []}', b"[" * 5000):
        stream_.send_frame(1, text)
        c.check(stream_.receive()["error"]["title"] == "BAD_REQUEST", text[:20])
    stream_.send_frame(1, b'{"id": 1, "he', fin=False)
    stream_.send_frame(0, b'llo": {}}')
    c.check(stream_.receive()["hello"]["region"] == "sh", "in two frames")
    stream_.close()


def slow_reader(cluster, urls, alice):
    """Asks for much and reads nothing: it is dropped, and told why if it reads at last."""
    sh = api.Api(urls["sh"])
    for number in range(1000, 1040):
        send(sh, alice, number, "x" * 60000, to=alice)
    stream_ = api.WebSocket(urls["sh"], window=4096)
    before = metric(cluster, "slow_readers_total")

    def ask():
        try:
            for number in range(100000):
                stream_.send({"id": number, "sync": {"user": alice}})
        except OSError:
            pass  # the gateway has hung up
    asking = threading.Thread(target=ask)
    asking.start()
    c.wait_for("the slow reader is dropped", lambda: metric(cluster, "slow_readers_total") > before)
    try:
        while True:
            stream_.receive()
    except api.Closed as closed:
        c.check(closed.code in (1008, None), closed)
    except ConnectionError:
        pass
    asking.join()
    stream_.close()


def fast_client(urls):
    """More than its share: told when to come again, on a short connection and on a stream."""
    sock = zmtp.connect("tcp://" + urls["sh"].removeprefix("http://"))
    sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 5000)  # answered by the front itself
    answer = b""
    while b'"retry_after_ms"' not in answer:
        answer = answer[-1000:] + sock.recv(65536)
    c.check(b"HTTP/1.1 429 " in answer and re.search(rb"Retry-After: [1-9]", answer), answer)
    sock.close()
    stream_ = api.WebSocket(urls["sh"])
    for number in range(2000):
        stream_.send({"id": number, "dance": {}})
    titles = set()
    for number in range(2000):
        titles.add(stream_.receive()["error"]["title"])
    c.check(titles == {"BAD_REQUEST", "OVERLOADED"}, titles)
    stream_.close()
    c.check(api.Api(urls["sh"]).get("/v1/hello")[0] == 200, "others are served")


def metric(cluster, name, region="sh"):
    address = api_cluster.http_of(cluster, region)
    text = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("homeport_api_" + name))


def region_restarts(cluster, urls, alice, bob):
    """A stream at one region outlives another's daemon, and its messages arrive."""
    _, snapshot = drain(api.Api(urls["hk"]), bob, device=1)
    live = api.WebSocket(urls["hk"])
    live.send({"subscribe": {"user": bob, "device": 1, "snapshot": snapshot}})
    pid = cluster.kill("all", "sh")
    cluster.restarted("all", "sh", None, pid)
    c.wait_for("sh serves again", lambda: served(urls["sh"]))
    c.wait_for("alice sends", lambda: api.Api(urls["sh"]).post("/v1/send", {
        "from": alice, "client_message_id": "77", "to": bob, "text": "again"})[0] == 200)
    c.check("news" in live.receive(), "news after the restart")
    live.close()


def served(url):
    try:
        return api.Api(url).get("/v1/hello")[0] == 200
    except OSError:
        return False


def main():
    with api_cluster.start(api_origins="http://chat.example, https://other.example") as (cluster, urls):
        before = {p["pid"] for p in cluster.processes()}
        alice, bob = short_connections(cluster, urls)
        stream(urls, alice, bob)
        problems(urls, alice, bob)
        changes(urls, alice, bob)
        pages_of_other_sites(urls)
        malformed_http(urls, 1)
        malformed_streams(urls, 2)
        slow_reader(cluster, urls, alice)
        fast_client(urls)
        c.check({p["pid"] for p in cluster.processes()} == before, "a process died of its clients")
        c.wait_for("all streams are gone", lambda: metric(cluster, "streams") == 0)
        c.check(metric(cluster, "malformed_total") > 100, "what is no HTTP is counted")
        c.check(metric(cluster, "limited_total") >= 2, "fast clients are counted")
        region_restarts(cluster, urls, alice, bob)
        cluster.run("verify", timeout=120)


main()
