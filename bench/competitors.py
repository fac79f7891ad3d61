"""The programs that ./dev bench compares, each with the settings that are best for it."""

import functools
import json
import os
import pathlib
import subprocess
import sys

WORKLOADS = ["W1", "W2", "W3", "W4", "W5a", "W5b", "W6a", "W6b"]
DENSE = ["W1", "W2", "W3", "W4", "W6a"]
PEERS = pathlib.Path("build/peers")
PYTHON = pathlib.Path("/usr/bin/python3")  # Debian's, whatever else is installed: python3-numpy is for this one


def call(command, environment={}, folder=None):
    """Runs a program that prints one line of JSON, and returns what it says."""
    done = subprocess.run([str(word) for word in command], env=os.environ | environment, cwd=folder,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def words(chosen, names):
    """The options of these names that have a value, as words of a command."""
    pairs = [("--" + name, getattr(chosen, name)) for name in names if getattr(chosen, name)]
    return [word for pair in pairs for word in pair]


class Program:
    """One that competes: a name, a command, what it can do, and the environment in which it is at its best."""

    def __init__(self, name, command, workloads=WORKLOADS, threads=(1, 2), environment=None):
        self.name, self.command, self.workloads, self.threads = name, command, workloads, threads
        self.environment = environment or (lambda threads: {})

    def arguments(self, chosen, workload, threads):
        return ["--workload", workload, "--threads", threads, *(["--digits"] if chosen.digits else []),
                *words(chosen, ["seed", "epochs", "batch", "samples", "data"])]

    def run(self, chosen, workload, threads):
        return call(self.command + self.arguments(chosen, workload, threads), self.environment(threads))


class PythonProgram(Program):
    """One in Python, which is told what the others know, and where the images are."""

    def run(self, chosen, workload, threads):
        told = write_data(PEERS.resolve() / "write_data", *self.arguments(chosen, workload, threads=1))
        return call([PYTHON, "-B", *self.command, "--workload", workload, "--threads", threads, "--data", PEERS / "data",
                     "--data-name", told["data"], "--learning-rate", told["learning_rate"], "--epochs", told["epochs"],
                     "--batch", told["batch"], "--seed", chosen.seed], self.environment(threads))


@functools.lru_cache(maxsize=1)
def write_data(*command):
    (PEERS / "data").mkdir(exist_ok=True)
    return call(command, folder=PEERS / "data")


def own(build):
    return [
        Program("floor", [build / "floor"]),
        Program("by_hand", [build / "by_hand"], DENSE, threads=(1,)),
        Program("cornu", [build / "cornu"], DENSE, threads=(0, 1, 2)),
    ]


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
    chosen_kernels = kernels()

    def environment(threads):
        return chosen_kernels | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}

    scripts = pathlib.Path("bench/peers")
    return [
        Program("libtorch", [PEERS / "libtorch"], environment=environment),
        PythonProgram("pytorch", [scripts / "pytorch_program.py"], environment=environment),
        Program("dlib", [PEERS / "dlib"], environment=environment),
        PythonProgram("numpy", [scripts / "numpy_program.py"], DENSE, environment=environment),
    ]
