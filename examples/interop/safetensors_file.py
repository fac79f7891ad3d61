"""Reads and writes safetensors files; requires only NumPy."""

import json
import struct

import numpy

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1",
          "BOOL": "?"}


def read(path):
    """Returns the arrays of a file by name, in file order."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        numbers = file.read()
    header.pop("__metadata__", None)
    result = {}
    for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = tensor["data_offsets"]
        result[name] = numpy.frombuffer(numbers[begin:end], DTYPES[tensor["dtype"]]).reshape(tensor["shape"]).copy()
    return result


def write(path, arrays):
    """Writes named arrays. For a PyTorch model: `{k: v.numpy() for k, v in model.state_dict().items()}`; for a Keras
    model: `{v.path: v.numpy() for v in model.weights}`."""
    names = {numpy.dtype(code).str: name for name, code in DTYPES.items()}
    header, at = {}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": names[array.dtype.str], "shape": list(array.shape),
                        "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            file.write(numpy.ascontiguousarray(array).tobytes())
