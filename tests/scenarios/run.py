#!/usr/bin/env python3
"""Runs scenarios: a cluster with traffic, faults by a timeline, and at the end a check that nothing acknowledged is lost,
doubled or out of order anywhere. README.md.

    run.py docker/scenarios/region_cut_off.toml ...      each in turn
    run.py --off NAME FILE                               with a protection switched off: the run must fail, and say why
    run.py --seed 7 --seconds 60                         a random mix of faults
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
os.environ.setdefault("HOMEPORT_BIN", os.path.join(HERE, "..", "..", "build", "bin"))

import backend_docker  # noqa: E402
import backend_process  # noqa: E402
import check  # noqa: E402
import cluster as c  # noqa: E402
import load as l  # noqa: E402
import report  # noqa: E402
import sampler as s  # noqa: E402
import scenario as sc  # noqa: E402

BACKENDS = {"process": backend_process.ProcessBackend, "docker": backend_docker.DockerBackend}
VERIFY_SECONDS = 120
ORDER_SECONDS = 120


class Order(threading.Thread):
    """A command of an operator, who repeats it until it ends well."""

    def __init__(self, backend, command):
        super().__init__(daemon=True)
        self.backend = backend
        self.command = command
        self.give_up = float("inf")
        self.said = ""
        self.done = False
        self.start()

    def run(self):
        while not self.done and time.monotonic() < self.give_up:
            done = self.backend.homeport(*self.command.split(), timeout=ORDER_SECONDS)
            self.done = done.returncode == 0
            self.said = f"exit {done.returncode}: {(done.stdout + done.stderr).decode(errors='replace').strip()[-400:]}"
            if not self.done:
                time.sleep(0.5)

    def end(self):
        """Findings. All is healed."""
        self.give_up = time.monotonic() + ORDER_SECONDS
        self.join(2 * ORDER_SECONDS)
        return [] if self.done else [f"order: homeport {self.command}: {self.said}"]


class Run:
    def __init__(self, scenario, backend, folder, seed):
        self.scenario = scenario
        self.backend = backend
        self.folder = folder
        self.seed = seed
        self.timeline = []
        self.findings = []
        self.orders = []
        self.began = time.monotonic()

    def tell(self, what):
        at = time.monotonic() - self.began
        self.timeline.append((at, what))
        print(f"{at:7.1f} s  {what}", flush=True)

    def play(self):
        backend, scenario = self.backend, self.scenario
        backend.start()
        load = l.Load(backend, scenario, list(backend.regions), self.seed)
        self.began = time.monotonic()
        self.tell(f"load begins: {load.clients_count()} clients, {scenario.rate:g} messages/s")
        load.start()
        sampler = s.Sampler(backend, load.began)
        sampler.start()
        counts = {}
        try:
            for fault in scenario.faults:
                time.sleep(max(0, load.began + fault.at - time.monotonic()))
                self.tell(str(fault))
                self.act(fault)
            time.sleep(max(0, load.began + scenario.seconds - time.monotonic()))
            self.tell("load ends, all is healed")
            self.heal()
            load.end()
            self.findings += [finding for order in self.orders for finding in order.end()]
            self.findings += check.serves(load, scenario)
            self.findings += self.verify()
            self.tell("reading every inbox")
            read = {user: check.inbox(backend, region, user) for region, user, _ in load.users}
            counts, wrong = check.compare(load, read)
            self.findings += wrong
        except AssertionError as failed:
            self.findings.append(f"failed: {failed}")
        finally:
            sampler.stop.set()
            sampler.join()
        if load.ended:
            self.report(load, sampler.samples, counts)
        return self.findings

    def act(self, fault):
        backend = self.backend
        if fault.do == "wan":
            backend.wan(fault.command)
            return
        if fault.do == "order":
            self.orders.append(Order(backend, fault.command))
            return
        do = {"kill": backend.kill, "start": backend.start_again, "pause": backend.pause, "resume": backend.resume,
              "lose_disk": backend.lose_disk, "fill_disk": backend.fill_disk, "free_disk": backend.free_disk}[fault.do]
        for name in fault.target:
            do(name)

    def heal(self):
        self.backend.heal()
        self.backend.wan("heal *<>*")
        self.backend.wan("set *<>* mbit_per_s=100 jitter_ms=0")

    def verify(self):
        """That all regions come to rest and hold the same."""
        done = self.backend.homeport("verify", "--wait", str(VERIFY_SECONDS), timeout=VERIFY_SECONDS + 60)
        self.tell(f"verify: exit {done.returncode}")
        if done.returncode == 0:
            return []
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        return [f"differing: verify says {said[-600:]}"]

    def report(self, load, samples, counts):
        end = load.ended - load.began
        regions = list(self.backend.regions)
        figures = {"counts": dict(counts),
                   "silence_ms_max": {region: round(1000 * load.silence(region)) for region in regions},
                   "acknowledged_per_s": round(counts.get("acknowledged", 0) / end, 1),
                   "lag_seconds_p50": report.percentile([v for x in samples for v in x["lag_seconds"].values()], 0.5),
                   "lag_seconds_p99": report.percentile([v for x in samples for v in x["lag_seconds"].values()], 0.99)}
        if self.scenario.catch_up:
            figures["catch_up"] = s.catch_up(samples, self.scenario.catch_up["region"], self.scenario.catch_up["at"])
        commit = subprocess.run(["git", "-C", HERE, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
        per_second = {region: report.per_second(load, region, end) for region in regions}
        pairs = sorted({pair for x in samples for pair in x["lag"]})
        series = [("acknowledged per second", {r: [(i, n) for i, (n, _) in enumerate(p)] for r, p in per_second.items()}),
                  ("slowest acknowledgement of each second, ms",
                   {r: [(i, ms) for i, (_, ms) in enumerate(p)] for r, p in per_second.items()}),
                  ("lag, entries", {pair: [(x["at"], x["lag"][pair]) for x in samples if pair in x["lag"]]
                                    for pair in pairs})]
        report.write(self.folder, {"scenario": self.scenario.name, "what": self.scenario.what, "seed": self.seed,
                                   "backend": self.backend.name, "commit": commit.stdout.strip(), "ok": not self.findings,
                                   "seconds": end, "findings": self.findings, "figures": figures, "timeline": self.timeline},
                     series, [(fault.at, str(fault)) for fault in self.scenario.faults])
        print(json.dumps(figures), flush=True)


def keep_metrics(backend, folder):
    for name, address in backend.metrics_addresses().items():
        with open(os.path.join(folder, f"{name}.metrics"), "w") as file:
            file.write(backend.answers(address, "/metrics") or "it does not answer\n")


def run_one(scenario, options):
    if "root" in scenario.needs and os.geteuid() != 0:
        c.skip(f"{scenario.name} needs root")
    if "process" in scenario.needs and options.backend != "process":
        print(f"{scenario.name}: only as processes: skipped")
        return True
    folder = os.path.join(options.out, scenario.name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    root = tempfile.mkdtemp(prefix="homeport-scenario-", dir=os.environ.get("HOMEPORT_TMP"))
    backend = BACKENDS[options.backend](root, scenario)
    print(f"== {scenario.name}: {scenario.what}", flush=True)
    findings = ["it did not come to its end"]
    try:
        findings = Run(scenario, backend, folder, options.seed or 1).play()
    except AssertionError as failed:
        findings = [f"failed: {failed}"]
    finally:
        try:
            if findings:
                keep_metrics(backend, folder)
                backend.collect_logs()
        finally:
            backend.stop()
        if findings:
            shutil.copytree(backend.logs, os.path.join(folder, "logs"), dirs_exist_ok=True)
        shutil.rmtree(root, ignore_errors=True)
    for finding in findings:
        print(f"   {finding}")
    if scenario.finding:
        seen = any(re.match(scenario.finding, one) for one in findings)
        print(f"   the protection is off, and it was {'' if seen else 'NOT '}seen ({scenario.finding})")
        return seen
    print(f"   {'FAILED; logs, metrics and report are in ' + folder if findings else 'held'}", flush=True)
    return not findings


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE", help="docker/scenarios/*.toml")
    parser.add_argument("--backend", choices=BACKENDS, default="process")
    parser.add_argument("--off", metavar="NAME", help="a protection of the one FILE that is switched off; all: each of them")
    parser.add_argument("--seed", type=int, help="a random mix of faults")
    parser.add_argument("--seconds", type=float, default=60, help="of the random mix")
    parser.add_argument("--out", default="scenario-runs", help="where reports go, and what a failed run leaves")
    options = parser.parse_args()
    try:
        scenarios = []
        for path in options.files:
            offs = [options.off]
            if options.off == "all":
                offs = list(sc.read(path).off)
            scenarios += [sc.read(path, off) for off in offs]
    except sc.BadScenario as bad:
        print(f"run.py: {bad}", file=sys.stderr)
        sys.exit(2)
    if options.seed is not None:
        scenarios.append(sc.random_mix(options.seed, options.seconds))
    if not scenarios:
        parser.error("name a FILE or a --seed")
    held = [run_one(scenario, options) for scenario in scenarios]
    print(f"{sum(held)} of {len(held)} as they should be; reports are in {options.out}")
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
