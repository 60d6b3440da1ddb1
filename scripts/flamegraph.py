#!/usr/bin/env python3
"""Draws a flame graph (SVG, on stdout) of `perf script` output read from stdin.

    perf record --call-graph dwarf -F 199 -p PID -- sleep 5
    perf script | scripts/flamegraph.py > graph.svg

Width is the share of samples; a box stands on its caller. Thread names are the lowest row.
"""
import html
import re
import sys

WIDTH, ROW, MIN_WIDTH = 1200, 16, 0.6


class Node:
    def __init__(self):
        self.count, self.children = 0, {}


def read(lines):
    root, name, frames = Node(), "", []

    def take():
        if not frames:
            return
        node = root
        node.count += 1
        for frame in [name] + frames[::-1]:
            node = node.children.setdefault(frame, Node())
            node.count += 1

    for line in lines:
        if not line.strip():
            take()
            frames = []
        elif line[0] not in " \t":
            name = line.split()[0]
        else:
            symbol = re.sub(r"^\s*[0-9a-f]+\s+", "", line.rstrip())
            symbol = re.sub(r"(\+0x[0-9a-f]+)? \([^()]*\)$", "", symbol)
            frames.append(symbol.replace("homeport::", "").replace("(anonymous namespace)::", ""))
    take()
    return root


def depth(node, total):
    big = [c for c in node.children.values() if c.count * WIDTH / total >= MIN_WIDTH]
    return 1 + max((depth(c, total) for c in big), default=0)


def draw(node, x, level, height, total, out):
    for name, child in sorted(node.children.items()):
        width = child.count * WIDTH / total
        if width >= MIN_WIDTH:
            y = height - (level + 1) * ROW
            hue = 20 + sum(map(ord, name)) % 35
            share = 100 * child.count / total
            text = html.escape(name)
            shown = html.escape(name[: int(width / 6.5)]) if width > 30 else ""
            out.append(
                f'<g><title>{text} ({share:.1f} %)</title><rect x="{x:.1f}" y="{y}" '
                f'width="{width:.1f}" height="{ROW - 1}" fill="hsl({hue},75%,62%)"/>'
                f'<text x="{x + 2:.1f}" y="{y + 11}">{shown}</text></g>')
            draw(child, x, level + 1, height, total, out)
        x += width


def main():
    root = read(sys.stdin)
    if root.count == 0:
        sys.exit("flamegraph.py: no samples on stdin; pipe `perf script` into it")
    height = depth(root, root.count) * ROW
    out = []
    draw(root, 0, 0, height, root.count, out)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
          f'font-family="monospace" font-size="10">')
    print("\n".join(out))
    print("</svg>")


main()
