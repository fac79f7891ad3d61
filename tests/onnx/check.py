"""Checks the files in a folder with ONNX's own checker: check.py FOLDER.

Runs all checks and strict shape inference. Also requires unique node names, an open batch, and an inferred output shape
equal to that in the file.
"""
import pathlib
import sys

import onnx


def dims(value):
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


files = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
assert files, "no models found"
for file in files:
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    names = [node.name for node in model.graph.node]
    assert all(names) and len(set(names)) == len(names), (file, names)  # not checked by ONNX's checker
    assert (model.ir_version, model.opset_import[0].version) == (8, 17), file
    told = {v.name: dims(v) for v in model.graph.output}
    assert all(shape[0] == "batch" for shape in told.values()), (file, told)
    del model.graph.output[0].type.tensor_type.shape.dim[1:]
    model.graph.output[0].type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    for value in inferred.graph.output:
        # Inference does not follow the batch through a Reshape that divides it into samples and steps.
        found = ["batch" if str(d).startswith("unk__") else d for d in dims(value)]
        assert found == told[value.name], (file, dims(value), told)
print(f"{len(files)} models are valid")
