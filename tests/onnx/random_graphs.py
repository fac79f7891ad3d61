"""Runs random ONNX graphs with Cornu and compares all outputs with values computed in NumPy.

    random_graphs.py --program tests_onnx --folder FOLDER [--first SEED] [--count N] [--torch]

Needs python3-onnx. Writes each graph in the layout of ONNX's own tests, model.onnx and test_data_set_0/input_0.pb, and runs
tests_onnx on all of them at once. On a failure, prints the seed, the nodes, and the first node that deviates. With --torch,
the NumPy formulas of convolutions, pools, normalizations and recurrent layers are compared with PyTorch as well.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import onnx
from onnx import numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).parent / "random_graphs"))
from graph import TABLE, Graph  # noqa: E402
import elementwise, indexing, losses, products, reductions, sequences, shapes, special, windows  # noqa: E401, E402, F401

agreements = {}


def agree_with_torch(g, inputs, run, torch_run):
    import torch
    arrays = [v.array if v is not None else None for v in inputs]
    tensors = [torch.from_numpy(np.ascontiguousarray(a)) if a is not None else None for a in arrays]
    own = run(*arrays)
    own = own[0] if isinstance(own, tuple) else own
    theirs = torch_run(torch, torch.nn.functional, *tensors).detach().numpy()
    name = torch_run.__qualname__ + " of " + torch_run.__code__.co_filename.split("/")[-1]
    assert own.shape == theirs.shape, (g.seed, name, own.shape, theirs.shape)
    assert np.allclose(own, theirs, 1e-9, 1e-9), (g.seed, name, np.abs(own - theirs).max())
    agreements[name] = agreements.get(name, 0) + 1


def write(graph, folder, every=False):
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    model, outputs = graph.model(every)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    for kind, values in (("input", graph.inputs), ("output", outputs)):
        for i, value in enumerate(values):
            (data / f"{kind}_{i}.pb").write_bytes(numpy_helper.from_array(value.stored()).SerializeToString())
    return outputs


def failures(program, folder):
    """{seed: message} of the graphs in the folder that Cornu refuses or computes differently."""
    done = subprocess.run([program, "--gtest_filter=OnnxTestData.FoldersOfTheEnvironmentPass"], text=True, capture_output=True,
                          env={**os.environ, "CORNU_ONNX_TESTS": str(folder)})
    if "[  PASSED  ] 1 test" not in done.stdout and "FAILED" not in done.stdout or "SKIPPED" in done.stdout:
        sys.exit(f"{program} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    assert "PASSED  ] 1 test" in done.stdout or "deviates: " in done.stdout, done.stdout
    return {int(seed): text for seed, text in re.findall(r"deviates: (\d+): (.*)", done.stdout)}


def report(graph, text, program, folder):
    print(f"\nseed {graph.seed}, opset {graph.opset}: {text}\n{graph.text()}")
    at = folder / "every"
    shutil.rmtree(at, ignore_errors=True)
    outputs = write(graph, at / str(graph.seed), every=True)
    found = re.search(r"output (\d+) differs by (.*)", failures(program, at).get(graph.seed, ""))
    if found:
        first = outputs[int(found[1])]
        node = next(n for n in graph.nodes if first in n.outputs)
        print(f"first deviation: {first.name}, an output of {node.op} {node.attributes}, by {found[2]}")
        print("inputs:", *[v and v.array.tolist() for v in node.inputs], "\nexpected:", first.array.tolist())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--show", type=int, default=10, help="number of failures to explain")
    options = parser.parse_args()
    agree = agree_with_torch if options.torch else lambda *_: None
    shutil.rmtree(options.folder, ignore_errors=True)
    nodes = 0
    for seed in range(options.first, options.first + options.count):
        graph = Graph(seed, TABLE, agree)
        nodes += len(graph.nodes)
        write(graph, options.folder / "graphs" / str(seed))
    never = [op.name for op in TABLE if not op.drawn]
    print(f"{options.count} graphs of {nodes} nodes; onnx {onnx.__version__}, numpy {np.__version__}")
    if options.torch:
        print("agreements with PyTorch:", dict(sorted(agreements.items())))
    if never and options.count >= 200:
        sys.exit(f"never drawn: {never}")
    failed = failures(options.program, options.folder / "graphs")
    for seed in sorted(failed)[:options.show]:
        report(Graph(seed, TABLE, lambda *_: None), failed[seed], options.program, options.folder)
    if failed:
        sys.exit(f"{len(failed)} of {options.count} graphs deviate: {sorted(failed)}")


main()
