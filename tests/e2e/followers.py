"""Clients that follow their users' inboxes live over a stream each, lose it at any moment, and go on from the last
snapshot they had."""

import base64
import random
import socket
import threading
import time

import api
import api_cluster
import cluster as c


def sender(message):
    if "sender_name_base64" in message:
        return base64.b64decode(message["sender_name_base64"])
    return message["sender_name"].encode()


class Follower:
    """One user's client. What it had when its connection was cut is what counts: whole answers, with their snapshot."""

    def __init__(self, address, user, name):
        self.address = address
        self.user = user
        self.name = name
        self.snapshot = ""
        self.messages = []  # (sender bytes, body bytes)
        self.stream = None
        self.lives = 0
        self.rest = 0  # seconds, before the next life
        self.failure = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stop.is_set():
            try:
                self.live()
            except (OSError, api.Closed):
                self.stop.wait(self.rest)
            except BaseException as failure:  # told by Followers.check
                self.failure = failure
                return

    def live(self):
        stream = api.WebSocket(self.address)
        self.stream = stream
        self.lives += 1
        stream.send({"subscribe": {"user": self.user, "snapshot": self.snapshot}})
        while not self.stop.is_set():
            if "news" in stream.receive():
                self.sync(stream)

    def sync(self, stream):
        more = True
        while more:
            answer = stream.ask("sync", {"user": self.user, "snapshot": self.snapshot})
            if "error" in answer:
                c.check(answer["error"]["code"] == "OVERLOADED", answer)
                time.sleep(0.2)
                continue
            page = answer["sync"]
            more = page["more"]
            self.messages += [(sender(m), c.body(m)) for m in page["messages"]]
            self.snapshot = page["snapshot"]

    def cut(self, rest=0.0):
        """From another thread, whatever it is about; it goes on after `rest` seconds."""
        self.rest = rest
        if self.stream:
            try:
                self.stream.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself

    def end(self):
        self.stop.set()
        self.cut()
        self.thread.join()


class Followers:
    """Up to `most` users of the cluster, as they appear, each followed; some are cut off all the time."""

    def __init__(self, cluster, most, seed):
        self.cluster = cluster
        self.most = most
        self.chance = random.Random(seed)
        self.apis = {region: api_cluster.of(cluster, "api", region) for region in cluster.regions.split(",")}
        self.all = {}
        self.cuts = 0
        self.stop = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self.run_or_tell)
        self.thread.start()

    def run_or_tell(self):
        try:
            self.run()
        except BaseException as failure:  # told by end()
            self.failure = failure

    def run(self):
        next_list = 0
        while not self.stop.wait(0.05):
            if len(self.all) < self.most and time.monotonic() >= next_list:
                self.follow_new_users()
                next_list = time.monotonic() + 1
            if self.all:
                self.chance.choice(list(self.all.values())).cut(rest=self.chance.uniform(0, 3))
                self.cuts += 1

    def follow_new_users(self):
        for user in self.cluster.json("user", "list")["users"]:
            if len(self.all) < self.most and user.get("name") not in {None, *self.all}:
                self.all[user["name"]] = Follower(self.apis[user["home"]], user["uin"], user["name"])

    def check(self, wanted):
        """Nobody is cut off any more, and all go on until they have what is `wanted`, by name in bytes."""
        self.stop.set()
        self.thread.join()
        if self.failure:
            raise self.failure

        def lacking():
            for follower in self.all.values():
                if follower.failure:
                    raise follower.failure
            return [f for f in self.all.values() if len(f.messages) < len(wanted[c.as_bytes(f.name)])]
        c.wait_for("all followers have as many messages as were sent to them", lambda: not lacking(), 180)
        for follower in self.all.values():
            c.check(follower.messages == wanted[c.as_bytes(follower.name)],
                    f"{follower.name}, in {follower.lives} lives: {len(follower.messages)} messages, "
                    f"{len(wanted[c.as_bytes(follower.name)])} were sent to it, or in another order")

    def end(self):
        self.stop.set()
        self.thread.join()
        for follower in self.all.values():
            follower.end()
