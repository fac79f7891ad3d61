"""What a C++ user of Cornu pays, beside the time of training: compiling, size, starting up, memory."""

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
    """Processor seconds and megabytes that g++ -O2 takes to compile and link README's first program with the library."""
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
    """The size of libcornu.so, stripped."""
    build = pathlib.Path("build/shared")
    for command in (["cmake", "-S", ".", "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=ON",
                     "-DCORNU_TESTS=OFF", "-DCORNU_BENCH=OFF", "-DCORNU_EXAMPLES=OFF"],
                    ["cmake", "--build", build, "--target", "cornu"],
                    ["strip", build / "libcornu.so", "-o", folder / "libcornu.so"]):
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    return (folder / "libcornu.so").stat().st_size / 1e6


def start_up_milliseconds(program):
    """From the start of a process to its first prediction."""
    times = []
    for _ in range(100):
        begin = time.perf_counter()
        process = subprocess.Popen([str(program)], stdout=subprocess.PIPE)
        process.stdout.read(1)
        times.append((time.perf_counter() - begin) * 1e3)
        process.communicate()
    return statistics.median(times)


def measure(programs):
    """Rows of what it is, how much, and how much it may be at most. `programs`: the folder of the bench's programs."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        seconds, megabytes = compile_costs(programs.parent, folder)
        size = shared_library_megabytes(folder)
    return [
        ("README's first program, g++ -O2, s", seconds, 2),
        ("README's first program, g++ -O2, MB of the compiler", megabytes, 300),
        ("libcornu.so stripped, MB", size, 1),
        ("start of a process to its first prediction, ms", start_up_milliseconds(programs / "first_prediction"), 10),
        ("growth after 10,000 models, bytes", call([programs / "many_models"])["growth_bytes"], 0),
    ]
