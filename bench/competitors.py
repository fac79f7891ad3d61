"""The programs that ./dev bench compares, each with the settings that are best for it."""

import json
import math
import os
import pathlib
import subprocess
import sys
import time

WORKLOADS = ["W1", "W2", "W3", "W4", "W5a", "W5b", "W6a", "W6b"]
DENSE = ["W1", "W2", "W3", "W4", "W6a"]
PEERS = pathlib.Path("build/peers")
PYTHON = pathlib.Path("/usr/bin/python3")  # Debian's, whatever else is installed: python3-numpy is for this one


def call(command, environment={}, limit=None):
    """Runs a program that prints one line of JSON, and returns what it says; None if it takes longer than the limit."""
    try:
        done = subprocess.run([str(word) for word in command], env=os.environ | environment, timeout=limit,
                              capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def cost(record):
    """What is compared: seconds of an epoch, or microseconds of a prediction."""
    return record["seconds_per_epoch"] or record["median_us"]


class Program:
    """One that competes: a name, a command, the workloads and numbers of threads that it takes, and environments, of
    which the best for it is used."""

    def __init__(self, name, command, workloads=WORKLOADS, takes=lambda threads: threads > 0, environments=None):
        self.name, self.command, self.workloads, self.takes = name, command, workloads, takes
        self.environments = environments or (lambda threads: {"": {}})
        self.best = {}

    def words(self, chosen, workload, threads):
        """The command with its options, of which those without a value are left to the workload."""
        names = ["seed", "epochs", "batch", "samples", "data"]
        pairs = [("--" + name, getattr(chosen, name)) for name in names if getattr(chosen, name)]
        return [*self.command, "--workload", workload, "--threads", threads, *(["--digits"] if chosen.digits else []),
                *(word for pair in pairs for word in pair)]

    def run(self, chosen, workload, threads):
        """One run. The first for a workload is one in each environment, and those after are in the best of these."""
        words = self.words(chosen, workload, threads)
        environments = self.environments(threads)
        best = self.best.get((workload, threads))
        if best is not None:
            return call(words, environments[best]) | {"setting": best}
        runs = []
        for setting, environment in environments.items():
            begin = time.monotonic()
            # What takes three times as long as another setting is not waited for: cores that are fought for may cost hours.
            limit = 10 + 3 * min((seconds for seconds, _ in runs), default=float("inf"))
            said = call(words, environment, limit=None if math.isinf(limit) else limit)
            if said is not None:
                runs.append((time.monotonic() - begin, said | {"setting": setting}))
        run = min((said for _, said in runs), key=cost)
        self.best[workload, threads] = run["setting"]
        return run


def own(build):
    return [
        Program("floor", [build / "floor"]),
        Program("by_hand", [build / "by_hand"], DENSE, takes=lambda threads: threads == 1),
        cornu(build),
    ]


def cornu(build):
    return Program("cornu", [build / "cornu"], takes=lambda threads: True)


def kernels():
    """What OPENBLAS_CORETYPE is to be for the peers. OpenBLAS takes a processor newer than itself for a Prescott of 2004,
    which costs it a factor of three; Cornu sees to that by itself (docs/decisions/blas-kernels.md)."""
    ask = """import ctypes; blas = ctypes.CDLL('libopenblas.so.0'); name = blas.openblas_get_corename
name.restype = ctypes.c_char_p; print(name().decode())"""
    name = subprocess.run([PYTHON, "-c", ask], stdout=subprocess.PIPE, text=True).stdout.strip()
    flags = next(line for line in open("/proc/cpuinfo") if line.startswith("flags")).split()
    if name != "Prescott" or "avx2" not in flags:
        return {}
    return {"OPENBLAS_CORETYPE": "SkylakeX" if "avx512vl" in flags else "Haswell"}


def peers():
    own_kernels = kernels()
    openmp = pathlib.Path("/usr/lib/x86_64-linux-gnu/openblas-openmp")

    def environments(threads):
        """OpenBLAS with threads of its own or with OpenMP's, which torch has already; they spin while they wait, or not."""
        def environment(blas_threads, **others):
            return own_kernels | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(blas_threads)} | others

        settings = {"pthread": environment(threads), "openmp": environment(threads, LD_LIBRARY_PATH=str(openmp))}
        if threads > 1:
            settings["openmp, passive"] = settings["openmp"] | {"OMP_WAIT_POLICY": "passive"}
            settings["one BLAS thread"] = environment(1)
            settings["one BLAS thread, passive"] = environment(1, OMP_WAIT_POLICY="passive")
        return settings

    def script(name):
        return [PYTHON, "-B", f"bench/peers/{name}_program.py"]

    return [
        Program("libtorch", [PEERS / "libtorch"], environments=environments),
        Program("pytorch", script("pytorch"), environments=environments),
        Program("dlib", [PEERS / "dlib"], environments=environments),
        Program("numpy", script("numpy"), DENSE, environments=environments),
    ]
