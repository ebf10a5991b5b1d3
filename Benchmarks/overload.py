#!/usr/bin/env python3
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Offers the mesh ten times what it can do, and says what became of it.

Wants AMQP_URL, REDIS_URL and PG_URL of empty servers (scripts/overload.sh brings them). Starts an App API, a Service API
and a worker as processes of their own, finds the sustainable rate, measures a normal load, offers ten times the
sustainable rate for a while (open loop), then the normal load again. Standard library only.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import threading
import time

import overload_giants
from overload_load import Load, Phase, quantile
from overload_mesh import ROOT, Mesh


def tell(phase: Phase) -> None:
    """One phase in lines."""
    seconds = phase.ended - phase.started
    print(f"{phase.name}: {phase.offered} offered in {seconds:.1f} s ({phase.offered / seconds:.0f}/s)")
    for status, times in sorted(phase.answers.items()):
        print(f"  HTTP {status}: {len(times):7d}  p50 {quantile(times, .5):8.1f}  p99 {quantile(times, .99):8.1f}"
              f"  max {max(times) * 1000:8.1f} ms")
    took = [end[1] for end in phase.ends]
    print(f"  ended:    {len(took):7d}  p50 {quantile(took, .5):8.1f}  p99 {quantile(took, .99):8.1f}"
          f"  max {max(took, default=0) * 1000:8.1f} ms  not well: {dict(phase.bad)}"
          + (f"  retry-after {min(phase.retry)}..{max(phase.retry)} s" if phase.retry else ""))


def peak(mesh: Mesh, load: Load, rate: float, options: argparse.Namespace) -> "list[str]":
    """A normal load, the peak, the normal load again; returns what did not hold, in words."""
    broken = []
    before = load.steady("before", rate / 4, 10)
    load.drain(30)
    tell(before)
    lines: "list[str]" = []
    sizes: "list[dict[str, int]]" = []

    def look(at: float) -> None:
        def ask() -> None:
            sizes.append(mesh.memory())
            lines.append(f"{at:5.0f} s  waiting {mesh.waiting():6d}  RSS MiB "
                         + " ".join(f"{role} {size >> 10}" for role, size in sizes[-1].items()))
        threading.Thread(target=ask, daemon=True).start()

    cpu = time.process_time()
    high = load.steady("peak", rate * options.times, options.seconds, look)
    print(f"the generator took {(time.process_time() - cpu) / options.seconds:.2f} cores")
    after = load.steady("after", rate / 4, 30, look)
    late = load.drain(240)
    for line in lines[:: max(1, len(lines) // 20)]:
        print(line)
    tell(high)
    tell(after)
    print(f"not ended: {late}, lost answers: {load.lost}, callbacks twice: {load.duplicates}")
    print(f"the peak's last task ended {max((end[0] for end in high.ends), default=0) - high.ended:.1f} s after it")
    usual = quantile([end[1] for end in before.ends], 0.5)
    back = None
    for second in range(28):
        part = [took for at, took in after.ends if second <= at - took - after.started < second + 3]
        if part and quantile(part, 0.5) > 2 * usual + 20:
            back = None
        elif back is None:
            back = second
    print(f"back to normal (p50 of three seconds' tasks under 2 x {usual:.0f} + 20 ms): {back} s after the peak")
    refused = high.answers.get(429, [])
    third = len(sizes) // 3
    growth = {role: (sizes[min(len(sizes) - 1, int(options.seconds) - 1)][role] - sizes[third][role]) >> 10
              for role in sizes[0]} if sizes else {}
    print(f"memory from a third of the run to the peak's end, MiB: {growth}")
    if set(high.codes) - {200, 429}:
        broken.append(f"answers other than 200 and 429 at the peak: {dict(high.codes)}")
    if not refused:
        broken.append("nothing was refused at the peak")
    elif quantile(refused, 0.5) > 100:
        broken.append(f"the median 429 took {quantile(refused, 0.5):.0f} ms")
    if late or high.codes[200] != len(high.ends):
        broken.append(f"{late} accepted tasks did not end, {high.codes[200] - len(high.ends)} did not end well")
    if back is None or back > 10:
        broken.append(f"latency was back to normal {back} s after the peak")
    if any(size > 32 for size in growth.values()):
        broken.append(f"memory grew: {growth}")
    return broken


def main() -> int:
    """The whole run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--malla", default=str(ROOT / ".build/release/malla"))
    parser.add_argument("--seconds", type=float, default=60, help="how long the peak lasts")
    parser.add_argument("--times", type=float, default=10, help="the peak's rate, in sustainable rates")
    parser.add_argument("--connections", type=int, default=1000, help="how many at most")
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--giants", nargs="*", help="only the giants, or those with such words in their names")
    parser.add_argument("--peak-only", action="store_true")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="malla-overload-"))
    mesh = Mesh(options.malla, folder, overload_giants.definitions(folder))
    broken: "list[str]" = []
    try:
        mesh.wait_ready()
        try:
            # The clients are elsewhere: they do not wait for the mesh's processors.
            os.setpriority(os.PRIO_PROCESS, 0, -10)
        except PermissionError:
            print("the generator has no priority over the mesh here: times include its own delays")
        load = Load(mesh, options.connections, options.users, 1024, "bench-3")
        print(f"load average {os.getloadavg()[0]:.1f}")
        load.closed("warm-up", 64, 3)
        rate = load.closed("sustainable", 64, 6)
        print(f"sustainable: {rate:.0f} tasks/s (64 open end to end)", flush=True)
        if options.giants is None:
            broken += peak(mesh, load, rate, options)
        if not options.peak_only:
            broken += overload_giants.run(mesh, load, rate / 8, options.giants)
        print(f"load average {os.getloadavg()[0]:.1f}")
    finally:
        mesh.stop()
        print(f"logs: {folder}")
    print("\n".join(f"NOT HELD: {one}" for one in broken) or "every bar held")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
