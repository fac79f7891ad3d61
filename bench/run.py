"""Runs competing programs in turns and compares them (see docs/performance.md)."""

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
import costs
import report

MEASURED = ["seconds_per_epoch", "samples_per_second", "test_accuracy", "median_us", "p99_us", "peak_rss_mb",
            "round_trip_ns"]


def numbers(text):
    return [int(word) for word in text.split(",")]


def options():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--workloads", default=",".join(competitors.WORKLOADS),
                        help="workloads, separated by commas (default: all)")
    parser.add_argument("--threads", type=numbers, default=[1, 2], help="thread counts; 0: Cornu chooses (default: 1,2)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each program (default: 5)")
    parser.add_argument("--epochs", type=int, default=0, help="number of epochs (default: the workload's)")
    parser.add_argument("--batch", type=int, default=0, help="batch size (default: the workload's)")
    parser.add_argument("--samples", type=int, default=0, help="samples per epoch (default: the workload's)")
    parser.add_argument("--seed", type=int, default=1, help="random seed of weights and shuffling (default: 1)")
    parser.add_argument("--data", default="", help="folder of MNIST's files; $CORNU_DATA/mnist is searched, too")
    parser.add_argument("--digits", action="store_true", help="use synthetic digits even if MNIST is found")
    parser.add_argument("--peers", action="store_true", help="include libtorch, PyTorch, dlib and NumPy")
    parser.add_argument("--no-costs", dest="costs", action="store_false",
                        help="do not measure compile time, size, start-up time and memory growth")
    parser.add_argument("--sweep", action="store_true", help="instead, run W1 at batch sizes from 1 to 4096")
    parser.add_argument("--quick", action="store_true", help="one round of two epochs")
    parser.add_argument("--build", type=pathlib.Path, default="build/release/bench", help="folder of the programs")
    parser.add_argument("--output", type=pathlib.Path, default="build/bench.json",
                        help="file for all figures (default: build/bench.json)")
    chosen = parser.parse_args()
    if chosen.rounds < 1:
        parser.error(f"--rounds is {chosen.rounds}; it must be at least 1")
    if chosen.quick:
        chosen.rounds, chosen.epochs = 1, chosen.epochs or 2
    chosen.data = chosen.data and os.path.abspath(chosen.data)
    chosen.workloads = chosen.workloads.split(",")
    unknown = set(chosen.workloads) - set(competitors.WORKLOADS)
    if unknown:
        parser.error(f"there is no workload {', '.join(sorted(unknown))}; there are {', '.join(competitors.WORKLOADS)}")
    return chosen


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def compete(chosen, programs, workload):
    """Runs all programs in turns, and measures the latency between cores before each multi-threaded run. Yields a record
    per program."""
    entrants = [(program, threads) for threads in chosen.threads for program in programs
                if workload in program.workloads and program.takes(threads)
                and (threads == 1 or not workload.startswith("W6"))]
    seen = collections.defaultdict(list)
    for turn in range(chosen.rounds):
        for program, threads in entrants:
            progress(f"{workload}, round {turn + 1} of {chosen.rounds}: {program.name}, {threads} threads")
            apart = competitors.call([chosen.build / "round_trip"])["round_trip_ns"] if threads != 1 else None
            seen[program.name, threads].append(program.run(chosen, workload, threads) | {"round_trip_ns": apart})
    progress("")
    for runs in seen.values():
        first = runs[0]
        record = first | {"runs": runs} | {key: statistics.median(run[key] for run in runs) for key in MEASURED
                                           if first[key] is not None}
        if first["seconds_per_epoch"]:  # median of the times, not of the rates
            samples = first["samples_per_second"] * first["seconds_per_epoch"]
            record["samples_per_second"] = samples / record["seconds_per_epoch"]
        yield record


def machine():
    model = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return {"date": time.strftime("%Y-%m-%d"), "processor": model[0] if model else platform.processor(),
            "cores": os.cpu_count(), "command": "./dev bench " + " ".join(sys.argv[1:])}


def sweep(chosen):
    """W1 at many batch sizes, on one thread and on several."""
    chosen.threads = sorted({1, *chosen.threads})
    for chosen.batch in (1, 4, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096):
        yield from compete(chosen, [competitors.cornu(chosen.build)], "W1")


def main():
    chosen = options()
    figures = {"machine": machine()}
    if chosen.sweep:
        figures["sweep"] = list(sweep(chosen))
    else:
        programs = competitors.own(chosen.build) + (competitors.peers() if chosen.peers else [])
        figures["records"] = [record for workload in chosen.workloads for record in compete(chosen, programs, workload)]
        if not figures["records"]:
            sys.exit("bench: no program supports these workloads with these thread counts; W6a and W6b run on one thread")
        figures["targets"] = list(report.verdicts(figures["records"]))
        if chosen.costs:
            progress("other costs")
            figures["costs"] = list(costs.measure(chosen.build))
            progress("")
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(figures, indent=1))
    report.show(figures)


if __name__ == "__main__":
    main()
