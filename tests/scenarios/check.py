"""What must hold at the end: every acknowledged message in the inbox of everyone it was for, once, in its sender's order."""

import collections

import api
import cluster as c

STALL_SECONDS = 2


def inbox(backend, region, user):
    """The whole of it, as a client that has nothing gets it: [(sender, number, is of the group)]."""
    messages, snapshot, more = [], "", True

    def at_home():
        nonlocal region
        status, answer = api.Api(backend.api(region)).post("/v1/sync", {"user": user, "snapshot": ""})
        if status == 421:
            region = answer["home"]["region"]
        return status == 200

    c.wait_for(f"{user} is served", at_home)
    home = api.Api(backend.api(region))
    while more:
        page = home.must("POST", "/v1/sync", {"user": user, "snapshot": snapshot})
        snapshot, more = page["snapshot"], page["more"]
        for message in page["messages"]:
            sender, number, _ = message["text"].split(":")
            messages.append((sender, int(number), message["group"] is not None))
    return messages


def compare(load, read):
    """`read`: {user: inbox}. Counts, and a few sentences that name what is wrong."""
    counts = collections.Counter(lost=0, doubled=0, out_of_order=0, unknown=0, strange=0)
    findings = []

    def found(kind, sentence):
        counts[kind] += 1
        if counts[kind] <= 5:
            findings.append(f"{kind}: {sentence}")

    ops = load.ops()
    known = {(op.sender, op.number): op for op in ops}
    counts["acknowledged"] = sum(1 for op in ops if op.acked)
    counts["without_outcome"] = len(ops) - counts["acknowledged"]
    moved = load.moved()
    counts["moved"] = len(moved)
    for user, messages in read.items():
        seen = collections.Counter((sender, number) for sender, number, _ in messages)
        for op in ops:
            mine = op.to == user or (op.to == load.group and op.sender != user)
            if mine and op.acked and not seen[op.sender, op.number]:
                found("lost", f"message {op.number} of {op.sender} to {op.to} was acknowledged and is not in the inbox of {user}")
        for (sender, number), times in seen.items():
            op = known.get((sender, number))
            if op is None or op.to not in (user, load.group):
                found("strange", f"message {number} of {sender} in the inbox of {user} was never sent there")
            if times > 1:
                found("doubled", f"message {number} of {sender} is {times} times in the inbox of {user}")
        last = {}
        for sender, number, is_group in messages:
            # The order of one sender to one receiver is promised while neither moves.
            if number < last.get((sender, is_group), 0) and not {sender, user} & moved:
                found("out_of_order", f"message {number} of {sender} stands behind {last[sender, is_group]} at {user}")
            last[sender, is_group] = number
    return counts, findings


def serves(load, scenario):
    findings = []
    for region, begin, end in scenario.serves:
        acks = [at for at in load.acks(region) if begin <= at <= end]
        if not acks:
            findings.append(f"silent: {region} acknowledged nothing from {begin} s to {end} s")
    for region in scenario.stalls:
        if load.silence(region) < STALL_SECONDS:
            findings.append(f"harmless: {region} was never silent for {STALL_SECONDS} s: the faults did not reach it")
    return findings
