"""Draws a graph node by node and computes every value in NumPy, twice: in double and in single precision.

A node whose results a correct implementation need not reproduce to 1e-5 is dropped and another is drawn: single and double
precision must agree, and a small change of inexact inputs must not change integers, booleans or roundings.
"""
import random

import numpy as np
from onnx import TensorProto, helper, numpy_helper

TYPES = {
    "float": np.float32, "double": np.float64, "float16": np.float16, "bool": np.bool_,
    "int64": np.int64, "int32": np.int32, "int16": np.int16, "int8": np.int8,
    "uint8": np.uint8, "uint16": np.uint16, "uint32": np.uint32,
}
FLOATS = ("float", "double", "float16")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32")
ANY = ["float", "float", "float", "int64", "int32", "bool", "double", "uint8", "float16"]
CODES = {name: getattr(TensorProto, name.upper()) for name in TYPES}
OPTIONAL = ("LSTM", "GRU", "RNN", "Unique", "MaxPool", "Dropout")  # ops with optional outputs
LIMIT = 100  # the largest float


class Skip(Exception):
    """The drawn node does not fit: draw another one."""


class Value:
    """exact: every implementation computes the same bits (inputs, moved elements, single IEEE operations)."""

    def __init__(self, name, type_, array, single=None, exact=True):
        self.name, self.type, self.exact = name, type_, exact
        self.array = array.astype(np.float64) if type_ in FLOATS else array
        self.single = array.astype(np.float32) if single is None and type_ in FLOATS else single
        if self.single is None:
            self.single = self.array

    @property
    def shape(self):
        return self.array.shape

    @property
    def rank(self):
        return self.array.ndim

    def within(self, low, high):
        return self.array.size == 0 or low <= self.array.min() and self.array.max() <= high

    def stored(self):
        return self.array.astype(TYPES[self.type])


class Node:
    """kind: "move" copies elements; "exact" is one IEEE operation an element; "smooth" rounds; "step" is not continuous.

    run: takes the inputs' arrays (None where an optional one is missing), returns an array or a tuple of them.
    types: of the outputs; that of the first input by default.
    """

    def __init__(self, op, inputs, attributes, run, kind="smooth", types=None, domain=""):
        self.op, self.inputs, self.attributes, self.run, self.kind = op, list(inputs), attributes, run, kind
        self.types = types or [self.inputs[0].type]
        self.domain, self.outputs = domain, []
        self.implicit = 0  # number of last inputs that only the node's graphs read
        self.special = False  # whether inputs and results may be infinite or NaN; nothing reads such results


class Graph:
    def __init__(self, seed, table, agree):
        self.random = random.Random(seed)
        self.numbers = np.random.RandomState(seed % 2**32)
        self.seed, self.agree, self.count = seed, agree, 0
        self.opset = self.random.choice(range(7, 27))
        self.empty = self.random.random() < 0.06  # whether axes may have length 0
        self.values, self.nodes, self.inputs, self.initializers, self.constants = [], [], [], [], []
        usable = [op for op in table if op.since <= self.opset < op.until]
        wanted = self.random.randint(5, 30)
        for _ in range(wanted * 20):
            if len(self.nodes) == wanted:
                break
            self.draw(self.random.choice(usable))
        self.finish()

    # Drawing

    def chance(self, p):
        return self.random.random() < p

    def choice(self, items):
        return self.random.choice(list(items))

    def maybe(self, attributes, name, value, default):
        """Adds an attribute; one that has the default may be left out."""
        if value != default or self.chance(0.5):
            attributes[name] = value
        return value

    def length(self):
        return self.choice([0, 1, 2, 3]) if self.empty and self.chance(0.4) else self.choice([1, 2, 2, 3, 3, 4, 5])

    def shape(self, least=0, most=5):
        return tuple(self.length() for _ in range(self.random.randint(least, most)))

    def array(self, shape, type_="float", low=-3, high=3):
        """Floats are multiples of 1/64, integers lie between low and high."""
        if type_ == "bool":
            return self.numbers.rand(*shape) < 0.5 if shape else np.array(self.chance(0.5))
        if type_ in INTEGERS:
            return np.asarray(self.numbers.randint(max(low, 0) if type_[0] == "u" else low, high + 1, shape), TYPES[type_])
        whole = np.asarray(self.numbers.randint(int(low * 64), int(high * 64) + 1, shape))
        return (whole / 64).astype(TYPES[type_])

    def name(self):
        self.count += 1
        return f"v{self.count}"

    def leaf(self, array, type_=None, place=None):
        """A new value of the graph: an input, an initializer or a Constant."""
        array = np.asarray(array)
        type_ = type_ or next(name for name, each in TYPES.items() if each == array.dtype.type)
        value = Value(self.name(), type_, array)
        place = place or self.choice(["input", "initializer", "initializer", "Constant"])
        if place == "Constant" and array.size == 0:
            place = "initializer"
        {"input": self.inputs, "initializer": self.initializers, "Constant": self.constants}[place].append(value)
        self.values.append(value)
        return value

    def given(self, numbers, type_="int64"):
        """Axes, sizes and the like as an input."""
        return self.leaf(np.asarray(numbers, TYPES[type_]), type_, self.choice(["input", "initializer", "Constant"]))

    def find(self, fits, types):
        found = [v for v in self.values if v.type in types and fits(v)]
        return self.choice(found[-12:]) if found else None

    def pick(self, types=("float",), least=0, most=5, fits=lambda v: True, fresh=0.25, low=-3, high=3):
        """A value of the graph or a new one, with `least` to `most` axes."""
        found = None if self.chance(fresh) else self.find(
            lambda v: least <= v.rank <= most and (self.empty or v.array.size) and fits(v), types)
        if found is not None:
            return found
        for _ in range(10):
            type_ = self.choice(types)
            value = Value("", type_, self.array(self.shape(least, most), type_, low, high))
            if fits(value):
                return self.leaf(value.stored(), type_)
        raise Skip

    def like(self, shape, type_="float", fresh=0.4, low=-3, high=3):
        """A value with exactly this shape."""
        found = None if self.chance(fresh) else self.find(
            lambda v: v.shape == tuple(shape) and v.within(low, high), [type_])
        return found or self.leaf(self.array(shape, type_, low, high), type_)

    def weights(self, shape, scale=1):
        return self.leaf((self.array(shape, low=-1, high=1) * np.float32(scale)).astype(np.float32), "float")

    def partner(self, x, type_=None, low=-3, high=3):
        """A value that broadcasts with x."""
        type_ = type_ or x.type
        if self.chance(0.5):
            def fits(v):
                try:
                    return np.broadcast_shapes(v.shape, x.shape) is not None
                except ValueError:
                    return False
            found = self.find(lambda v: fits(v) and v.within(low, high), [type_])
            if found is not None:
                return found
        shape = list(x.shape)
        if self.chance(0.7):
            shape = [1 if self.chance(0.3) else n for n in shape][self.random.randint(0, x.rank):]
        if len(shape) == x.rank and x.rank < 4 and self.chance(0.2):
            shape = [self.length()] + shape
        return self.leaf(self.array(shape, type_, low, high), type_)

    def axis(self, rank, negative_since=11, size=None):
        if rank == 0:
            raise Skip
        axis = self.random.randrange(rank if size is None else size)
        return axis - rank if self.opset >= negative_since and self.chance(0.4) else axis

    # Computing

    def draw(self, op):
        before = [len(each) for each in (self.values, self.inputs, self.initializers, self.constants)]
        try:
            with np.errstate(all="ignore"):
                node = op.make(self)
                self.compute(node)
            if node.op in OPTIONAL and self.chance(0.3):
                self.leave_out(node)
            self.nodes.append(node)
            op.drawn += 1
        except Skip:
            for each, n in zip((self.values, self.inputs, self.initializers, self.constants), before):
                del each[n:]

    def leave_out(self, node):
        """Leaves out some of the optional outputs."""
        kept = self.choice(node.outputs) if node.op in ("LSTM", "GRU", "RNN") else node.outputs[0]
        for v in node.outputs:
            if v is not kept and self.chance(0.5):
                self.values.remove(v)
                v.name = ""

    def compute(self, node):
        def results(arrays):
            made = node.run(*arrays)
            return [np.asarray(each) for each in (made if isinstance(made, tuple) else (made,))]

        inputs = node.inputs
        floats = [v for v in inputs if v is not None and v.type in FLOATS]
        doubles = results([v and v.array for v in inputs])
        singles = results([v and v.single for v in inputs])
        all_exact = all(v.exact for v in floats)
        exact = all_exact and (node.kind == "move" or node.kind == "exact" and all(v.type != "double" for v in floats))
        if exact:
            doubles = [s.astype(np.float64) if t in FLOATS else s for s, t in zip(singles, node.types)]
        for double, single, type_ in zip(doubles, singles, node.types):
            if double.shape != single.shape or double.size > 5000 or double.ndim > 6 or (double.size == 0 and not self.empty):
                raise Skip
            if type_ in FLOATS:
                if node.special:
                    continue
                if not np.all(np.isfinite(double)) or not np.all(np.isfinite(single)) or np.any(np.abs(double) > LIMIT):
                    raise Skip
                if np.any(np.abs(single - double) > 2e-6 * np.maximum(1, np.abs(double))):
                    raise Skip
            else:
                assert double.dtype == TYPES[type_], (node.op, double.dtype, type_)
                if not np.array_equal(double, single) or (double.size and np.abs(double.astype(np.float64)).max() > 2**33):
                    raise Skip
        if not exact and node.kind != "move" and floats:
            for _ in range(2):
                moved = results([self.shaken(v) for v in inputs])
                for a, b, type_ in zip(doubles, moved, node.types):
                    if a.shape != b.shape:
                        raise Skip
                    change = np.abs(a - b) > 3e-3 * np.maximum(1, np.abs(a)) if type_ in FLOATS else a != b
                    if np.any(change):
                        raise Skip
        for double, single, type_ in zip(doubles, singles, node.types):
            value = Value(self.name(), type_, double, single.astype(np.float32) if type_ in FLOATS else None, exact)
            node.outputs.append(value)
            if not node.special:
                self.values.append(value)

    def shaken(self, v):
        """The value with a small error where it may have one."""
        if v is None or v.type not in FLOATS or (v.exact and v.type != "double"):
            return v and v.array
        noise = np.where(self.numbers.rand(*v.shape) < 0.5, -1, 1) * 3e-5
        return v.array + noise * np.maximum(1, np.abs(v.array))

    # Writing

    def finish(self):
        used = {id(v) for node in self.nodes for v in node.inputs if v is not None}
        made = self.made()
        self.outputs = [v for v in made if self.chance(0.85 if id(v) not in used else 0.1)] or made[-1:]
        self.order = list(range(len(self.nodes)))
        if self.chance(0.3):
            self.random.shuffle(self.order)
        self.open = self.chance(0.3)  # whether dimensions are declared as open

    def made(self):
        """The results of all nodes."""
        return [v for node in self.nodes for v in node.outputs if v.name]

    def model(self, every=False):
        """The file; with all results as outputs, in the order of computation, if `every`."""
        def declared(v):
            shape = [f"{v.name}_{i}" if self.open else n for i, n in enumerate(v.shape)]
            return helper.make_tensor_value_info(v.name, CODES[v.type], shape)

        outputs = self.made() if every else self.outputs
        nodes = [helper.make_node("Constant", [], [v.name], value=numpy_helper.from_array(v.stored())) for v in self.constants]
        for i in self.order:
            node = self.nodes[i]
            inputs = [v.name if v is not None else "" for v in node.inputs][:len(node.inputs) - node.implicit]
            names = [v.name for v in node.outputs]
            while not names[-1]:
                names.pop()
            nodes.append(helper.make_node(node.op, inputs, names, f"{node.op}_{i}",
                                          domain=node.domain, **node.attributes))
        initializers = [numpy_helper.from_array(v.stored(), v.name) for v in self.initializers]
        graph = helper.make_graph(nodes, f"seed_{self.seed}", [declared(v) for v in self.inputs],
                                  [declared(v) for v in outputs], initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8), outputs

    def text(self):
        def listed(values):
            return ", ".join("none" if v is None else f"{v.name} {v.type}{list(v.shape)}" for v in values)
        return "\n".join(f"  {n.op}({listed(n.inputs)}) {n.attributes} -> {listed(n.outputs)}" for n in self.nodes)


class Op:
    def __init__(self, name, make, since, until):
        self.name, self.make, self.since, self.until, self.drawn = name, make, since, until, 0


class Table(list):
    def row(self, name, since=7, until=99):
        """Decorates a function that draws a node of this op."""
        def add(make):
            self.append(Op(name, make, since, until))
            return make
        return add


TABLE = Table()
row = TABLE.row
