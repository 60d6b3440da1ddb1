"""Looks at the cluster all the time: lag per pair of regions, and what the WAN box carries."""

import re
import threading
import time

import backend_process

EVERY = 0.5


class Sampler(threading.Thread):
    def __init__(self, backend, began):
        super().__init__(daemon=True)
        self.backend = backend
        self.began = began
        self.stop = threading.Event()
        self.samples = []  # {"at", "lag": {"sh<hk": entries that sh lacks of hk}, "lag_seconds": {..}, "bytes_out": {"sh>hk": bytes}}

    def run(self):
        while not self.stop.is_set():
            sample = {"at": time.monotonic() - self.began, "lag": {}, "lag_seconds": {}, "bytes_out": {}}
            try:
                for line in self.backend.wan("status")["lines"]:
                    sample["bytes_out"][f"{line['from']}>{line['to']}"] = line["bytes_out"]
            except (OSError, ValueError):
                pass
            committed, applied = {}, {}
            for name, region in self.backend.regions.items():
                text = backend_process.ProcessBackend.answers(region["http"], "/metrics") or ""
                for of, shard, value in re.findall(rf'^homeport_region_stream_committed\{{region="{name}",stream="(\w+)/(\d+)"\}} (\S+)$',
                                                   text, re.M):
                    if of == name:
                        committed[of, shard] = float(value)
                for of, shard, value in re.findall(rf'^homeport_region_stream_applied\{{region="{name}",stream="(\w+)/(\d+)"\}} (\S+)$',
                                                   text, re.M):
                    if of != name:
                        applied[name, of, shard] = float(value)
                for of, value in re.findall(r'^homeport_region_lag_seconds\{from="(\w+)"[^}]*\} (\S+)$', text, re.M):
                    sample["lag_seconds"][f"{name}<{of}"] = float(value)
            for (at, of, shard), value in applied.items():
                if (of, shard) in committed:
                    pair = f"{at}<{of}"
                    sample["lag"][pair] = sample["lag"].get(pair, 0) + max(0, committed[of, shard] - value)
            self.samples.append(sample)
            self.stop.wait(EVERY)


def catch_up(samples, region, since):
    """How a region that was away got what it lacked: entries, seconds, and the share of the lines' bandwidth it used."""
    after = [s for s in samples if s["at"] >= since and s["bytes_out"]]

    def lacks(sample):
        mine = [entries for pair, entries in sample["lag"].items() if pair.startswith(region + "<")]
        return sum(mine) if mine else None

    most = max((lacks(s) or 0 for s in after), default=0)
    begin = next((s for s in after if lacks(s)), None)
    if begin is None:
        return {"entries": 0, "seconds": 0}
    end = next((s for s in after if s["at"] > begin["at"] and lacks(s) is not None and lacks(s) <= 0.02 * most), after[-1])
    seconds = max(end["at"] - begin["at"], EVERY)
    carried = {line: 8e-6 * (end["bytes_out"][line] - begin["bytes_out"][line]) / seconds
               for line in begin["bytes_out"] if line.endswith(">" + region)}
    return {"entries": most, "seconds": round(seconds, 1), "entries_per_s": round(most / seconds),
            "mbit_per_s": {line: round(value, 2) for line, value in carried.items()}}
