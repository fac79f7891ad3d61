"""Costs other than the workloads: compile time, size, start-up time and memory growth, and how close a convolution comes
to the peak."""

import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

from competitors import call


def first_program():
    """README's first program."""
    readme = pathlib.Path("README.md").read_text()
    return re.search(r"<!-- program: first -->\n```cpp\n(.*?)```", readme, re.DOTALL).group(1)


def compile_costs(build, folder):
    """CPU seconds and megabytes of g++ -O2 for compiling and linking README's first program with the library."""
    source = folder / "first.cpp"
    source.write_text(first_program())
    command = ["g++", "-std=c++20", "-O2", "-I", build / "include", source, build / "libcornu.a", "-lfmt", "-lz", "-lcurl",
               "-lopenblas", "-pthread", "-o", folder / "first"]
    seconds, megabytes = [], []
    for _ in range(5):
        compiler = subprocess.Popen([str(word) for word in command])
        _, status, usage = os.wait4(compiler.pid, 0)
        compiler.returncode = os.waitstatus_to_exitcode(status)
        if compiler.returncode != 0:
            sys.exit("bench: README's first program does not compile")
        seconds.append(usage.ru_utime + usage.ru_stime)
        megabytes.append(usage.ru_maxrss * 1024 / 1e6)
    return statistics.median(seconds), max(megabytes)


def shared_library_megabytes(folder):
    """The size of the stripped libcornu.so."""
    build = pathlib.Path("build/shared")
    for command in (["cmake", "-S", ".", "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=ON",
                     "-DCORNU_TESTS=OFF", "-DCORNU_BENCH=OFF", "-DCORNU_EXAMPLES=OFF"],
                    ["cmake", "--build", build, "--target", "cornu"],
                    ["strip", build / "libcornu.so", "-o", folder / "libcornu.so"]):
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    return (folder / "libcornu.so").stat().st_size / 1e6


def start_up_milliseconds(program):
    """The time from the start of a process to its first prediction."""
    times = []
    for _ in range(100):
        begin = time.perf_counter()
        process = subprocess.Popen([str(program)], stdout=subprocess.PIPE)
        process.stdout.read(1)
        times.append((time.perf_counter() - begin) * 1e3)
        process.communicate()
    return statistics.median(times)


def share_of_the_peak(program):
    """FLOP/s of the larger convolution of W5b, forward and backward, relative to those of a large matrix product."""
    said = call([program, "--benchmark_filter=^training/3x3x32x64", "--benchmark_format=json"])
    peak = float(said["context"]["peak FLOP/s of a product, one thread"].split()[0]) * 1e9
    return said["benchmarks"][0]["FLOP/s"] / peak


def measure(programs):
    """Yields name, value, "at most" or "at least", and target of each cost. `programs`: the folder of the benchmark
    programs."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        seconds, megabytes = compile_costs(programs.parent, folder)
        size = shared_library_megabytes(folder)
    yield "README's first program, g++ -O2, s", seconds, "at most", 2
    yield "README's first program, g++ -O2, compiler MB", megabytes, "at most", 300
    yield "libcornu.so, stripped, MB", size, "at most", 1
    start_up = start_up_milliseconds(programs / "first_prediction")
    yield "process start to first prediction, ms", start_up, "at most", 10
    # Ten bytes per model: pages come and go, but a leaked block takes at least 32 bytes.
    growth = call([programs / "many_models"])["growth_bytes"]
    yield "growth after 10,000 models, bytes", growth, "at most", 100_000
    if (programs / "conv").exists():  # requires Google Benchmark
        yield "convolution 3x3x32 to 64, share of peak", share_of_the_peak(programs / "conv"), "at least", 0.5
