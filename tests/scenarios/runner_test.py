"""The runner's own parts: the check sees what it is for, scenarios are read or refused, a seed makes the same mix."""

import glob
import os
import sys
import tempfile
import types
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

import check  # noqa: E402
import sampler  # noqa: E402
import scenario as sc  # noqa: E402
from load import Client, Load, Op  # noqa: E402


def a_load():
    """a sends 1 to b, 2 to the group and 3 to b; 4 was never acknowledged."""
    load = Load.__new__(Load)
    ops = [Op("a", 1, "b", 0, 1), Op("a", 2, "g", 1, 2), Op("a", 3, "b", 2, 3), Op("a", 4, "b", 3)]
    load.group = "g"
    load.began, load.ended = 0, 10
    load.clients = [types.SimpleNamespace(ops=ops, region="sh", user="a", moved=lambda: False)]
    return load


GOOD = {"a": [], "b": [("a", 1, False), ("a", 2, True), ("a", 3, False)]}


class CheckTest(unittest.TestCase):
    def kinds(self, **inboxes):
        counts, findings = check.compare(a_load(), GOOD | inboxes)
        self.assertEqual(bool(findings), any(counts[k] for k in ("lost", "doubled", "out_of_order", "strange")))
        return {kind for kind in ("lost", "doubled", "out_of_order", "strange") if counts[kind]}

    def test_all_is_well(self):
        self.assertEqual(self.kinds(), set())
        counts, _ = check.compare(a_load(), GOOD)
        self.assertEqual((counts["acknowledged"], counts["without_outcome"]), (3, 1))

    def test_without_an_acknowledgement_both_are_right(self):
        self.assertEqual(self.kinds(b=GOOD["b"] + [("a", 4, False)]), set())

    def test_lost(self):
        self.assertEqual(self.kinds(b=GOOD["b"][1:]), {"lost"})
        self.assertEqual(self.kinds(b=[m for m in GOOD["b"] if not m[2]]), {"lost"})

    def test_doubled(self):
        self.assertEqual(self.kinds(b=GOOD["b"] + [("a", 3, False)]), {"doubled"})

    def test_out_of_order(self):
        self.assertEqual(self.kinds(b=[("a", 3, False), ("a", 2, True), ("a", 1, False)]), {"out_of_order"})

    def test_who_moved_has_no_order(self):
        load = a_load()
        load.clients[0].moved = lambda: True
        counts, _ = check.compare(load, GOOD | {"b": [("a", 3, False), ("a", 2, True), ("a", 1, False)]})
        self.assertEqual((counts["out_of_order"], counts["moved"]), (0, 1))

    def test_strange(self):
        self.assertEqual(self.kinds(a=[("a", 1, False)]), {"strange"})
        self.assertEqual(self.kinds(b=GOOD["b"] + [("a", 9, False)]), {"strange"})

    def test_silence(self):
        load = a_load()
        self.assertEqual(load.silence("sh"), 7)
        scenario = types.SimpleNamespace(serves=[("sh", 0, 2), ("sh", 4, 9)], stalls=["sh"])
        self.assertEqual(check.serves(load, scenario), ["silent: sh acknowledged nothing from 4 s to 9 s"])
        scenario = types.SimpleNamespace(serves=[], stalls=["hk"])
        load.clients.append(types.SimpleNamespace(ops=[Op("c", n, "b", n, n) for n in range(1, 10)], region="hk"))
        self.assertEqual(len(check.serves(load, scenario)), 1)


class ClientTest(unittest.TestCase):
    def test_follows_the_newest_home(self):
        client = Client(None, "sh", "a", "1", 7)
        self.assertFalse(client.moved())
        told = lambda region, move: {"region": region, "epoch": {"takeover": 0, "move": move}}  # noqa: E731
        self.assertEqual(client.follow(told("hk", 2)), 0)
        self.assertGreater(client.follow(told("sh", 1)), 0, "the old home is named by who has not heard")
        self.assertEqual((client.region, client.moved()), ("hk", True))


class SamplerTest(unittest.TestCase):
    def test_catch_up(self):
        samples = [{"at": at, "lag": {"sh<hk": lag, "hk<sh": 50}, "bytes_out": {"hk>sh": sent, "sh>hk": 0}}
                   for at, lag, sent in ((0, 0, 0), (1, 900, 0), (2, 1000, 0), (3, 400, 500_000), (4, 10, 1_000_000))]
        self.assertEqual(sampler.catch_up(samples, "sh", 2),
                         {"entries": 1000, "seconds": 2, "entries_per_s": 500, "mbit_per_s": {"hk>sh": 4.0}})
        self.assertEqual(sampler.catch_up(samples[:1], "sh", 0), {"entries": 0, "seconds": 0})


class ScenarioTest(unittest.TestCase):
    def read(self, text, off=None):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            return sc.read(file.name, off)

    def test_every_scenario_of_docker_can_be_read(self):
        files = glob.glob(os.path.join(HERE, "..", "..", "docker", "scenarios", "*.toml"))
        self.assertGreater(len(files), 10)
        for path in files:
            scenario = sc.read(path)
            self.assertTrue(scenario.what, path)
            self.assertLess(max([f.at for f in scenario.faults]), scenario.seconds, path)
            for off in scenario.off:
                self.assertTrue(sc.read(path, off).finding, path)

    def test_repeats_a_fault(self):
        scenario = self.read('[[fault]]\nat = 1\ndo = "kill"\ntarget = "sh"\nevery = 2\nuntil = 5\n')
        self.assertEqual([(f.at, f.target) for f in scenario.faults], [(1, ["sh"]), (3, ["sh"]), (5, ["sh"])])

    def test_a_protection_that_is_off(self):
        text = ('[[fault]]\nat = 1\ndo = "kill"\ntarget = "sh"\n[[fault]]\nat = 2\ndo = "start"\ntarget = "sh"\n'
                '[off.start]\nfinding = "silent"\ndrop = ["start"]\n')
        scenario = self.read(text, "start")
        self.assertEqual(([f.do for f in scenario.faults], scenario.finding), (["kill"], "silent"))
        with self.assertRaises(sc.BadScenario):
            self.read(text, "stop")

    def test_what_is_not_known_is_refused(self):
        for text in ("colour = 1\n", "load = {colour = 1}\n", "[[fault]]\nat = 1\n", '[[fault]]\nat = 1\ndo = "dance"\n',
                     '[[fault]]\nat = 1\ndo = "kill"\n', '[[fault]]\nat = 1\ndo = "wan"\ntarget = "sh"\n'):
            with self.assertRaises(sc.BadScenario, msg=text):
                self.read(text)

    def test_a_seed_makes_one_mix_and_every_fault_ends(self):
        ends = {"kill": "start", "pause": "resume"}
        for seed in range(200):
            mix = sc.random_mix(seed, 60)
            self.assertEqual(mix.faults, sc.random_mix(seed, 60).faults)
            away = {}  # region: target
            for fault in mix.faults:
                self.assertLess(fault.at, 60)
                if fault.do == "wan":
                    continue
                target, = fault.target
                region = target.split("-")[0]
                if fault.do in ends:
                    self.assertNotIn(region, away, f"seed {seed}: two are away in {region}")
                    away[region] = (target, ends[fault.do])
                else:
                    self.assertEqual(away.pop(region), (target, fault.do))
            self.assertEqual(away, {})


if __name__ == "__main__":
    unittest.main()
