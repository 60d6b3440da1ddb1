"""Scenarios: TOML files that say what is loaded, what is broken when, and what must hold. README.md has the keys."""

import dataclasses
import random
import tomllib

REGIONS = ("sh", "hk", "ca")
ACTIONS = {"kill", "start", "pause", "resume", "wan", "lose_disk", "fill_disk", "free_disk", "order"}
WITH_COMMAND = {"wan", "order"}  # instead of targets


class BadScenario(Exception):
    pass


@dataclasses.dataclass
class Fault:
    at: float  # seconds after the load began
    do: str
    target: list
    command: str = ""  # of the WAN box, or of the command line

    def __str__(self):
        return f"{self.do} {self.command or ' '.join(self.target)}"


@dataclasses.dataclass
class Scenario:
    name: str
    what: str
    seconds: float
    rate: float
    users: int
    body_bytes: int
    faults: list
    serves: list  # (region, from, to)
    stalls: list  # regions that must have been silent for a while, or the faults did nothing
    needs: list  # "root", "process"
    cluster: dict  # keys of cluster.toml
    catch_up: dict | None
    new_ids: bool = False  # what a client without a memory would do: a retry is a new message
    off: dict = dataclasses.field(default_factory=dict)  # name -> its table
    finding: str = ""  # of the protection that is off: what must be found


def keys(table, where, **known):
    """The values of the known keys, each with its default; a key that is not known is refused."""
    for key in table:
        if key not in known:
            raise BadScenario(f"{where}: key {key} is unknown; the keys here are {', '.join(known)}")
    return [table.get(key, default) for key, default in known.items()]


def read_faults(tables, where):
    faults = []
    for number, table in enumerate(tables, 1):
        place = f"{where}: fault {number}"
        at, do, target, command, every, until = keys(table, place, at=None, do=None, target=[], command="", every=0,
                                                     until=0)
        if at is None or do not in ACTIONS:
            raise BadScenario(f"{place}: needs at and do, one of {', '.join(sorted(ACTIONS))}")
        if (do in WITH_COMMAND) != bool(command) or (do not in WITH_COMMAND) != bool(target):
            raise BadScenario(f"{place}: wan and order have a command, all else a target")
        target = [target] if isinstance(target, str) else target
        while True:
            faults.append(Fault(at, do, target, command))
            at += every
            if not every or at > until:
                break
    return faults


def read(path, off=None):
    """`off`: the name of a protection that is switched off in this run."""
    with open(path, "rb") as file:
        table = tomllib.load(file)
    what, load, fault, holds, needs, cluster, catch_up, offs = keys(
        table, path, what="", load={}, fault=[], holds={}, needs=[], cluster={}, catch_up=None, off={})
    seconds, rate, users, body_bytes = keys(load, f"{path}: load", seconds=20, rate=30, users=2, body_bytes=100)
    serves, stalls = keys(holds, f"{path}: holds", serves=[], stalls=[])
    faults = read_faults(fault, path)
    scenario = Scenario(path.rsplit("/", 1)[-1].removesuffix(".toml"), what, seconds, rate, users, body_bytes, faults,
                        [tuple(one) for one in serves], stalls, needs, cluster, catch_up, off=offs)
    if off is not None:
        if off not in offs:
            raise BadScenario(f"{path}: no protection {off} to switch off; there are {', '.join(offs) or 'none'}")
        _, scenario.finding, more, drop, more_cluster, scenario.new_ids = keys(
            offs[off], f"{path}: off.{off}", what="", finding="", fault=[], drop=[], cluster={}, new_ids=False)
        scenario.faults = [f for f in faults if f.do not in drop] + read_faults(more, f"{path}: off.{off}")
        scenario.cluster = cluster | more_cluster
        scenario.name += f"-without-{off}"
    scenario.faults.sort(key=lambda one: one.at)
    return scenario


def random_mix(seed, seconds):
    """Faults from a seed: at most one replica of a region is away at a time, and every fault ends."""
    chance = random.Random(seed)
    faults = []

    def add(at, do, target=None, command=""):
        faults.append(Fault(round(at, 1), do, [target] if target else [], command))

    for region in REGIONS:
        at = chance.uniform(2, 6)
        while at < seconds - 8:
            lasts = chance.uniform(0.5, 5)
            target = chance.choice([f"{region}-replica-{chance.randint(1, 3)}"] * 3 + [region])
            begin, end = chance.choice([("kill", "start"), ("pause", "resume")])
            add(at, begin, target)
            add(at + lasts, end, target)
            at += lasts + chance.uniform(3, 8)
    at = chance.uniform(2, 6)
    while at < seconds - 8:
        lasts = chance.uniform(0.5, 5)
        a, b = chance.sample(REGIONS, 2)
        lines = f"{a}{chance.choice(['>', '<>'])}{b}"
        begin, end = chance.choice([(f"cut {lines}", f"heal {lines}"), (f"reset {lines}", ""),
                                    (f"stall {lines} {int(lasts * 1000)}", ""),
                                    (f"set {lines} mbit_per_s=1", f"set {lines} mbit_per_s=100"),
                                    (f"set {lines} jitter_ms=50", f"set {lines} jitter_ms=0")])
        add(at, "wan", command=begin)
        if end:
            add(at + lasts, "wan", command=end)
        at += lasts + chance.uniform(1, 5)
    faults.sort(key=lambda one: one.at)
    return Scenario(f"random-{seed}", f"A random mix of faults, from seed {seed}", seconds, 40, 2, 100, faults, [], [],
                    [], {}, None)
