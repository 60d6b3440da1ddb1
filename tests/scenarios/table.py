#!/usr/bin/env python3
"""The rows of docs/reliability.md from the reports of a folder: table.py scenario-runs"""

import glob
import json
import os
import sys


def row(report):
    figures = report["figures"]
    counts = figures["counts"]
    silence = figures["silence_ms_max"]
    wrong = "?" if not counts else sum(counts[kind] for kind in ("lost", "doubled", "out_of_order", "strange"))
    catch_up = figures.get("catch_up")
    caught = "-"
    if catch_up:
        lines = ", ".join(f"{line} {mbit:g}" for line, mbit in catch_up.get("mbit_per_s", {}).items())
        caught = f"{catch_up['entries']:.0f} in {catch_up['seconds']:g} s ({lines} Mbit/s)"
    cells = [report["scenario"], report["backend"], counts.get("acknowledged", "?"), wrong, *(f"{ms / 1000:.1f}" for ms in silence.values()),
             caught, report["commit"]]
    return "| " + " | ".join(map(str, cells)) + " |"


def main():
    paths = sorted(glob.glob(os.path.join(sys.argv[1], "*", "report.json")))
    reports = [json.load(open(path)) for path in paths]
    regions = list(reports[0]["figures"]["silence_ms_max"]) if reports else []
    heads = ["scenario", "backend", "acknowledged", "wrong", *(f"silence {r}, s" for r in regions), "caught up", "commit"]
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for report in reports:
        print(row(report))


if __name__ == "__main__":
    main()
