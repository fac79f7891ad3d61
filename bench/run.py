"""Runs the competing programs in turns and compares them: `./dev bench --help`, docs/performance.md."""

import argparse
import collections
import json
import os
import pathlib
import platform
import statistics
import sys
import time

import competitors
import report

def options():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--workloads", default=",".join(competitors.WORKLOADS), help="which, separated by commas (all)")
    parser.add_argument("--threads", default="1,2", help="numbers of threads; 0: as Cornu chooses (1,2)")
    parser.add_argument("--rounds", type=int, default=5, help="how often every program has its turn (5)")
    parser.add_argument("--epochs", type=int, default=0, help="instead of each workload's own")
    parser.add_argument("--batch", type=int, default=0, help="instead of each workload's own")
    parser.add_argument("--samples", type=int, default=0, help="of an epoch, instead of each workload's own")
    parser.add_argument("--seed", type=int, default=1, help="of weights and shuffling (1)")
    parser.add_argument("--data", default="", help="the folder of MNIST's files; $CORNU_DATA/mnist is looked in, too")
    parser.add_argument("--digits", action="store_true", help="synthetic digits also where MNIST is there")
    parser.add_argument("--peers", action="store_true", help="also libtorch, PyTorch, dlib and NumPy")
    parser.add_argument("--quick", action="store_true", help="one round of two epochs, for a first look")
    parser.add_argument("--build", type=pathlib.Path, default="build/release/bench", help="the folder of the programs")
    parser.add_argument("--output", type=pathlib.Path, default="build/bench.json", help="all figures (build/bench.json)")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.epochs = 1, chosen.epochs or 2
    chosen.data = chosen.data and os.path.abspath(chosen.data)
    chosen.workloads = chosen.workloads.split(",")
    chosen.threads = [int(number) for number in chosen.threads.split(",")]
    unknown = set(chosen.workloads) - set(competitors.WORKLOADS)
    if unknown:
        parser.error(f"there is no workload {', '.join(sorted(unknown))}; there are {', '.join(competitors.WORKLOADS)}")
    return chosen


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def compete(chosen, programs, workload):
    """All programs in turns, and with each turn how far the cores are from each other. Yields a record a program."""
    entrants = [(program, threads) for threads in chosen.threads for program in programs
                if workload in program.workloads and threads in program.threads
                and (threads == 1 or not workload.startswith("W6"))]
    seen, round_trips = collections.defaultdict(list), []
    for turn in range(chosen.rounds):
        for program, threads in entrants:
            progress(f"{workload}, round {turn + 1} of {chosen.rounds}: {program.name}, {threads} threads")
            if threads != 1:
                round_trips.append(competitors.call([chosen.build / "round_trip"])["round_trip_ns"])
            seen[program.name, threads].append(program.run(chosen, workload, threads))
    progress("")
    for runs in seen.values():
        record = {key: statistics.median(run[key] for run in runs) if isinstance(value, (int, float)) else value
                  for key, value in runs[0].items()}
        record["runs"] = runs
        record["round_trip_ns"] = statistics.median(round_trips) if record["threads"] != 1 and round_trips else None
        yield record


def machine():
    model = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return {"date": time.strftime("%Y-%m-%d"), "processor": model[0] if model else platform.processor(),
            "cores": os.cpu_count(), "command": "./dev bench " + " ".join(sys.argv[1:])}


def main():
    chosen = options()
    programs = competitors.own(chosen.build) + (competitors.peers() if chosen.peers else [])
    records = []
    for workload in chosen.workloads:
        records += compete(chosen, programs, workload)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps({"machine": machine(), "records": records}, indent=1))
    report.show(machine(), records)


if __name__ == "__main__":
    main()
