"""The programs that ./dev bench compares, each with its best settings."""

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
PYTHON = pathlib.Path("/usr/bin/python3")  # Debian's Python, which python3-numpy is installed for


def call(command, environment={}, limit=None):
    """Runs a program and parses the line of JSON that it prints. Returns None if it exceeds the limit."""
    try:
        done = subprocess.run([str(word) for word in command], env=os.environ | environment, timeout=limit,
                              capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def cost(record):
    """The figure that is compared: seconds per epoch, or microseconds per prediction."""
    return record["seconds_per_epoch"] or record["median_us"]


class Program:
    """A competing program: name, command, supported workloads and thread counts, and candidate environments, of which
    the fastest is used."""

    def __init__(self, name, command, workloads=WORKLOADS, takes=lambda threads: threads > 0, environments=None):
        self.name, self.command, self.workloads, self.takes = name, command, workloads, takes
        self.environments = environments or (lambda threads: {"": {}})
        self.best = {}

    def words(self, chosen, workload, threads):
        """The command line. Options without a value are left to the workload."""
        names = ["seed", "epochs", "batch", "samples", "data"]
        pairs = [("--" + name, getattr(chosen, name)) for name in names if getattr(chosen, name)]
        return [*self.command, "--workload", workload, "--threads", threads, *(["--digits"] if chosen.digits else []),
                *(word for pair in pairs for word in pair)]

    def run(self, chosen, workload, threads):
        """One run. The first run of a workload tries every environment; later runs use the fastest."""
        words = self.words(chosen, workload, threads)
        environments = self.environments(threads)
        best = self.best.get((workload, threads))
        if best is not None:
            return call(words, environments[best]) | {"setting": best}
        runs = []
        for setting, environment in environments.items():
            begin = time.monotonic()
            # Stop at three times the time of the fastest setting: contention for cores may cost hours.
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
    """OPENBLAS_CORETYPE for the peers. OpenBLAS treats a processor newer than itself as a Prescott of 2004, which costs a
    factor of three; Cornu corrects that itself (docs/decisions/blas-kernels.md)."""
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
        """OpenBLAS with pthreads or with OpenMP, which torch uses, too; waiting threads spin or sleep."""
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
