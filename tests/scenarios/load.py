"""Clients that send numbered messages to one another and to a group, in every region, and remember what was acknowledged."""

import dataclasses
import http.client
import random
import threading
import time

import api

PATIENCE = 90  # seconds after the load's end in which what is under way must be acknowledged


@dataclasses.dataclass
class Op:
    sender: str
    number: int
    to: str  # a user or the group
    began: float
    acked: float | None = None
    attempts: int = 0


class Client(threading.Thread):
    """One user: one message after the other, each until it is acknowledged, under one id."""

    def __init__(self, load, region, name, user, seed):
        super().__init__(daemon=True)
        self.load = load
        self.region = region
        self.name = name
        self.user = user
        self.epoch = [0, 0]  # of the home, the highest that was told
        self.chance = random.Random(seed)
        self.ops = []
        self.connection = None
        self.failure = None

    def moved(self):
        return self.epoch != [0, 0]

    def run(self):
        try:
            pause = self.load.clients_count() / self.load.rate
            due = time.monotonic() + self.chance.uniform(0, pause)
            while not self.load.stop.wait(max(0, due - time.monotonic())):
                self.send(len(self.ops) + 1)
                due = max(due + pause, time.monotonic())
        except Exception as failure:  # told by Load.end
            self.failure = failure

    def send(self, number):
        group = self.chance.random() < 0.2
        peer = self.load.group if group else self.chance.choice(self.load.users)[1]
        op = Op(self.user, number, peer, time.monotonic())
        self.ops.append(op)
        text = f"{self.user}:{number}:"
        body = {"from": self.user, "group" if group else "to": peer, "text": text + "x" * self.load.body_bytes}
        while time.monotonic() < self.load.give_up:
            op.attempts += 1
            again = f"-{op.attempts}" if self.load.new_ids else ""
            body["client_message_id"] = str(number * 1000 + (op.attempts if again else 0))
            wait = self.attempt(body)
            if wait is None:
                op.acked = time.monotonic()
                return
            time.sleep(wait)

    def attempt(self, body):
        """None when acknowledged; else how long to wait before the next attempt."""
        try:
            if self.connection is None:
                self.connection = api.Api(self.load.backend.api(self.region), timeout=12)
            status, answer = self.connection.post("/v1/send", body)
        except (OSError, http.client.HTTPException):
            self.connection = None
            return 0.2
        if status == 200:
            return None
        if status == 421:
            return self.follow(answer["home"])
        if status == 429:
            return max(answer.get("retry_after_ms", 100), 20) / 1000
        if status == 503:
            return 0.1
        raise AssertionError(f"{body} was refused for good: {status} {answer}")


    def follow(self, home):
        """To the new home. One that has not heard of the move yet names an older one: then it is asked again."""
        epoch = [home["epoch"]["takeover"], home["epoch"]["move"]]
        if epoch <= self.epoch:
            return 0.1
        self.epoch = epoch
        self.region = home["region"]
        self.connection = None
        return 0


class Load:
    def __init__(self, backend, scenario, regions, seed):
        self.backend = backend
        self.rate = scenario.rate
        self.body_bytes = scenario.body_bytes
        self.new_ids = scenario.new_ids
        self.stop = threading.Event()
        self.began = self.ended = None
        self.give_up = float("inf")
        self.users = [(region, api.create(backend.api(region), "user", f"user-{region}-{number}"), f"user-{region}-{number}")
                      for region in regions for number in range(scenario.users)]
        self.group = api.create(backend.api(regions[-1]), "group", "all")
        home = api.Api(backend.api(regions[-1]))
        for _, user, _ in self.users:
            home.must("POST", f"/v1/groups/{self.group}/join", {"user": user})
        self.clients = [Client(self, region, name, user, f"{seed}-{user}") for region, user, name in self.users]

    def clients_count(self):
        return len(self.users)

    def start(self):
        self.began = time.monotonic()
        for client in self.clients:
            client.start()

    def end(self):
        self.ended = time.monotonic()
        self.give_up = self.ended + PATIENCE
        self.stop.set()
        for client in self.clients:
            client.join()
        for client in self.clients:
            if client.failure:
                raise client.failure

    def ops(self):
        return [op for client in self.clients for op in list(client.ops)]

    def moved(self):
        """The users that were told of another home."""
        return {client.user for client in self.clients if client.moved()}

    def acks(self, region):
        """Seconds after the beginning, ascending."""
        return sorted(op.acked - self.began for client in self.clients if client.region == region
                      for op in list(client.ops) if op.acked)

    def silence(self, region):
        """The longest time without an acknowledgement while the load lasted."""
        end = self.ended - self.began
        marks = [0] + [at for at in self.acks(region) if at < end] + [end]
        return max(b - a for a, b in zip(marks, marks[1:]))
