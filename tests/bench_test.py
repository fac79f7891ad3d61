"""Runs the programs of bench/ on a few synthetic digits: `python3 tests/bench_test.py build/release/bench`.

Checks the form of their output. The measurements, which vary, are not checked."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

programs = pathlib.Path(sys.argv.pop(1))

KEYS = {"program", "workload", "data", "threads", "batch", "epochs", "learning_rate", "seed", "seconds_per_epoch",
        "samples_per_second", "test_accuracy", "median_us", "p99_us", "peak_rss_mb"}


def run(program, workload, *options, samples=600):
    command = [programs / program, "--workload", workload, "--digits", "--samples", samples, *options]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


class Bench(unittest.TestCase):
    def line(self, program, workload, *options, samples=600):
        status, out, err = run(program, workload, *options, samples=samples)
        self.assertEqual(status, 0, err)
        self.assertEqual(out.count("\n"), 1)
        said = json.loads(out)
        self.assertEqual(set(said), KEYS)
        self.assertEqual((said["program"], said["workload"]), (program, workload))
        self.assertGreater(said["samples_per_second"], 0)
        self.assertGreater(said["peak_rss_mb"], 1)
        return said

    def test_every_program_reports_training(self):
        dense = ["W1", "W2", "W3", "W4"]
        for program, workloads in {"floor": [*dense, "W5a", "W5b"], "by_hand": dense,
                                   "cornu": [*dense, "W5a", "W5b"]}.items():
            for workload in workloads:
                with self.subTest(program=program, workload=workload):
                    said = self.line(program, workload, "--epochs", "2", "--seed", "3")
                    self.assertGreater(said["seconds_per_epoch"], 0)
                    self.assertEqual((said["epochs"], said["seed"]), (2, 3))
                    self.assertIsNone(said["median_us"])
                    self.assertEqual(said["data"], "none" if program == "floor" else "synthetic digits")

    def test_every_program_reports_predictions(self):
        for program, workload in [("floor", "W6a"), ("floor", "W6b"), ("by_hand", "W6a"), ("cornu", "W6a"),
                                  ("cornu", "W6b")]:
            with self.subTest(program=program, workload=workload):
                said = self.line(program, workload)
                self.assertLessEqual(said["median_us"], said["p99_us"])
                self.assertIsNone(said["seconds_per_epoch"])

    def test_the_trainer_by_hand_learns_as_well_as_cornu(self):
        by_hand, cornu = (self.line(program, "W1", "--epochs", "3", samples=3000)["test_accuracy"]
                          for program in ("by_hand", "cornu"))
        self.assertGreater(cornu, 0.7)
        self.assertAlmostEqual(by_hand, cornu, delta=0.05)

    def test_the_floor_and_cornu_take_two_threads(self):
        for program in ("floor", "cornu"):
            self.assertEqual(self.line(program, "W1", "--threads", "2")["threads"], 2)

    def test_unsupported_requests_are_errors(self):
        for options, text in [(("by_hand", "W5a"), "W5a: only dense layers are implemented"),
                              (("by_hand", "W1", "--threads", "2"), "only one thread is supported, not 2"),
                              (("floor", "W1", "--threads", "0"), "threads is 0; it must be at least 1"),
                              (("cornu", "W1", "--batch", "-3"), "batch is -3; it must be at least 1"),
                              (("cornu", "W7"), "there is no workload W7")]:
            status, out, err = run(*options)
            self.assertNotEqual(status, 0)
            self.assertEqual(out, "")
            self.assertIn(text, err)

    def streams(self, *options):
        done = subprocess.run([programs / "streams", *options], capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines(), done.stderr

    def test_streams_are_compared(self):
        models = ["LSTM(20)", "LSTM(40)", "GRU(20)", "GRU(40)", "10 x Conv1D(16)", "1 x Conv1D(16)"]
        for options, columns in [(("--rounds", "2"), 5), (("--jitter", "200"), 6)]:
            with self.subTest(options=options):
                status, lines, err = self.streams(*options)
                self.assertEqual(status, 0, err)
                self.assertEqual([line[:16].strip() for line in lines[1:]], models)
                for line in lines[1:]:
                    figures = line[16:].split()
                    self.assertEqual(len(figures), columns)
                    for figure in figures[:4]:
                        self.assertGreater(float(figure), 0)
        status, _, err = self.streams("--laps", "2")
        self.assertEqual((status, err), (1, "streams [--rounds N] [--headers COMMAND] | --jitter STEPS\n"))

    def driver(self, *options):
        command = [sys.executable, "-B", "bench/run.py", "--build", programs, "--rounds", "2", "--digits",
                   "--samples", "600", "--epochs", "2", "--no-costs", *options]
        return subprocess.run([str(word) for word in command], capture_output=True, text=True)

    def test_the_driver_writes_a_table_and_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "figures.json"
            done = self.driver("--output", path, "--workloads", "W1,W6a")
            self.assertEqual(done.returncode, 0, done.stderr)
            figures = json.loads(path.read_text())
        records = figures["records"]
        self.assertEqual([(record["program"], record["threads"]) for record in records if record["workload"] == "W1"],
                         [("floor", 1), ("by_hand", 1), ("cornu", 1), ("floor", 2), ("cornu", 2)])
        for record in records:
            self.assertEqual(len(record["runs"]), 2)
            if record["workload"] == "W1":
                self.assertAlmostEqual(record["samples_per_second"] * record["seconds_per_epoch"], 600, places=2)
            trips = [run["round_trip_ns"] for run in record["runs"]]
            if record["threads"] == 2 and None not in trips:  # None on a single core
                self.assertAlmostEqual(record["round_trip_ns"], sum(trips) / 2)
            else:
                self.assertIsNone(record["round_trip_ns"])
        self.assertIn("| W1       | 2       | cornu ", done.stdout)
        self.assertIn("at most 1.1 ", done.stdout)
        self.assertIn(["W1", 1, "floor"], [target[:3] for target in figures["targets"]])

    def test_the_driver_rejects_unsupported_requests(self):
        for options, text in [(("--workloads", "W6a", "--threads", "2"), "no program supports these workloads with"),
                              (("--threads", "x"), "argument --threads: invalid numbers value: 'x'"),
                              (("--rounds", "0"), "--rounds is 0; it must be at least 1"),
                              (("--workloads", "W7"), "there is no workload W7; there are W1, ")]:
            done = self.driver(*options)
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual(done.stdout, "")
            self.assertIn(text, done.stderr)


unittest.main()
