"""What a run leaves: report.json, and report.html with its plots, which needs no network."""

import html
import json
import os

WIDTH, HEIGHT, LEFT = 900, 160, 60
COLOURS = {"sh": "#c0392b", "hk": "#2471a3", "ca": "#239b56"}


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else None


def per_second(load, region, end):
    """(acknowledgements, slowest of them in ms) of each second."""
    bins = [[] for _ in range(int(end) + 1)]
    for client in load.clients:
        if client.region == region:
            for op in client.ops:
                if op.acked and op.acked - load.began < end:
                    bins[int(op.acked - load.began)].append(1000 * (op.acked - op.began))
    return [(len(b), max(b, default=0)) for b in bins]


def write(folder, report, series, faults):
    """`series`: [(title, {name: [(seconds, value)]})]"""
    with open(os.path.join(folder, "report.json"), "w") as file:
        json.dump(report, file, indent=2)
    parts = [f"<!doctype html><meta charset=utf-8><title>{html.escape(report['scenario'])}</title>",
             "<style>body{font:14px sans-serif;margin:2em}td,th{padding:.2em .8em;text-align:left}"
             "svg{display:block}.fault{stroke:#999;stroke-dasharray:3}</style>",
             f"<h1>{html.escape(report['scenario'])}: {'held' if report['ok'] else 'FAILED'}</h1>",
             f"<p>{html.escape(report['what'])}</p>"]
    parts += [f"<p><b>{html.escape(one)}</b></p>" for one in report["findings"]]
    parts.append(f"<pre>{html.escape(json.dumps(report['figures'], indent=2))}</pre>")
    end = max([report["seconds"]] + [x for _, lines in series for points in lines.values() for x, _ in points])
    parts += [plot(title, lines, faults, end) for title, lines in series]
    parts.append("<table><tr><th>at<th>what" + "".join(
        f"<tr><td>{at:.1f} s<td>{html.escape(what)}" for at, what in report["timeline"]) + "</table>")
    with open(os.path.join(folder, "report.html"), "w") as file:
        file.write("\n".join(parts))


def plot(title, lines, faults, end):
    top = max([y for points in lines.values() for _, y in points] + [1])

    def x(seconds):
        return LEFT + (WIDTH - LEFT) * seconds / end

    def y(value):
        return HEIGHT - 20 - (HEIGHT - 40) * value / top

    parts = [f"<h3>{html.escape(title)}</h3><svg width={WIDTH} height={HEIGHT}>",
             f'<text x=0 y="{y(top) + 5:.0f}">{top:.4g}</text><text x=0 y="{y(0):.0f}">0</text>',
             f'<line x1={LEFT} x2={WIDTH} y1="{y(0):.0f}" y2="{y(0):.0f}" stroke="#ccc"/>']
    for at, what in faults:
        parts.append(f'<line class=fault x1="{x(at):.1f}" x2="{x(at):.1f}" y1=10 y2="{y(0):.0f}">'
                     f"<title>{html.escape(what)}</title></line>")
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS.get(name, COLOURS.get(name[:2], "#555"))
        dash = ' stroke-dasharray="6 2"' if "<" in name and number % 2 else ""
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points)
        parts.append(f'<polyline fill=none stroke="{colour}"{dash} points="{path}"><title>{html.escape(name)}</title></polyline>')
        parts.append(f'<text x="{LEFT + 90 * number}" y="{HEIGHT - 4}" fill="{colour}">{html.escape(name)}</text>')
    return "".join(parts) + "</svg>"
