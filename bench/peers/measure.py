"""Shared by the Python peers: options, data, and the line of JSON that each prints."""

import json
import pathlib
import statistics
import subprocess
import sys
import time
import types

import numpy as np

PEERS = pathlib.Path("build/peers").resolve()
DATA = PEERS / "data"

# The sizes of the dense layers, and the convolutions before them: (filters, kernel, padding, whether pooling follows).
DENSE = {"W1": [784, 128, 10], "W2": [784, 128, 10], "W3": [784, 1024, 1024, 10], "W4": [784, 10],
         "W5a": [400, 120, 84, 10], "W5b": [9216, 128, 10], "W6a": [784, 128, 10], "W6b": [400, 120, 84, 10]}
LENET = [(6, 5, 2, True), (16, 5, 0, True)]
CONVOLUTIONS = {"W5a": LENET, "W5b": [(32, 3, 0, False), (64, 3, 0, True)], "W6b": LENET}


def options():
    """Parses the command line with write_data, which writes the requested data and prints the resolved options."""
    DATA.mkdir(exist_ok=True)
    said = subprocess.run([PEERS / "write_data", *sys.argv[1:]], cwd=DATA, stdout=subprocess.PIPE, text=True).stdout
    if not said.startswith("{"):
        sys.exit(said)  # the help text, or nothing after an error
    return types.SimpleNamespace(**json.loads(said))


def load(part):
    """Returns x (samples, 784) in [0, 1] and y (samples)."""
    pixels = np.fromfile(DATA / f"{part}-images", np.uint8, offset=16).reshape(-1, 784)
    labels = np.fromfile(DATA / f"{part}-labels", np.uint8, offset=8)
    return pixels.astype(np.float32) / np.float32(255), labels.astype(np.int64)


def peak_rss():
    return next(float(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))


def show(program, chosen, samples=0, epochs=(), accuracy=None, single=(), thousand=()):
    epoch = statistics.median(epochs[1:] or epochs) if epochs else None
    single = sorted(single)
    print(json.dumps({
        "program": program, "workload": chosen.workload, "data": chosen.data, "threads": chosen.threads,
        "batch": chosen.batch, "epochs": chosen.epochs, "learning_rate": chosen.learning_rate, "seed": chosen.seed,
        "seconds_per_epoch": epoch, "samples_per_second": samples / epoch if epochs else 1000 / statistics.median(thousand),
        "test_accuracy": accuracy, "median_us": statistics.median(single) * 1e6 if single else None,
        "p99_us": single[len(single) * 99 // 100] * 1e6 if single else None, "peak_rss_mb": peak_rss() / 1e6}))


def seconds(call, *arguments):
    begin = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - begin


def predictions(program, chosen, predict, x):
    """Measures `predict` for each of 1000 images alone, and for all of them at once."""
    x = x[:1000]
    rounds = [[seconds(predict, x[i:i + 1]) for i in range(1000)] for _ in range(10)]
    together = [seconds(predict, x) for _ in range(50)]
    show(program, chosen, single=[time for one in rounds[1:] for time in one], thousand=together[5:])
