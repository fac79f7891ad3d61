"""Ops along axes: reductions, extremes, sums, products, softmax, normalizations; and ops that generate values."""
import numpy as np

from graph import CODES, TYPES, Node, Skip, row


def typed(x, y):
    return y.astype(x.dtype)


def product(x, y, real):
    if y.dtype == np.int64 and y.size and abs(real).max() > 2**62:
        raise Skip  # an error in Cornu
    return typed(x, y)


REDUCTIONS = {
    "ReduceSum": lambda x, a, k: typed(x, x.sum(a, keepdims=k)),
    "ReduceMean": lambda x, a, k: x.mean(a, keepdims=k),
    "ReduceProd": lambda x, a, k: product(x, x.prod(a, keepdims=k), x.astype(float).prod(a, keepdims=k)),
    "ReduceMax": lambda x, a, k: x.max(a, keepdims=k),
    "ReduceMin": lambda x, a, k: x.min(a, keepdims=k),
    "ReduceL1": lambda x, a, k: typed(x, np.abs(x).sum(a, keepdims=k)),
    "ReduceL2": lambda x, a, k: np.sqrt(np.square(x).sum(a, keepdims=k)),
    "ReduceSumSquare": lambda x, a, k: typed(x, np.square(x).sum(a, keepdims=k)),
    "ReduceLogSum": lambda x, a, k: np.log(x.sum(a, keepdims=k)),
    "ReduceLogSumExp": lambda x, a, k: np.log(np.exp(x).sum(a, keepdims=k)),
}


def reduce(name, formula):
    @row(name)
    def make(g):
        types, attributes, inputs = ["float", "float", "double"], {}, []
        if name in ("ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare"):
            types += ["int64", "int32"]
        if name in ("ReduceMax", "ReduceMin"):
            types += ["uint8", "int8"] * (g.opset >= 12) + ["bool"] * (g.opset >= 20)
        x = g.pick(types)
        axes = g.random.sample(range(x.rank), g.random.randint(1, x.rank)) if x.rank and g.chance(0.8) else None
        keep = bool(g.maybe(attributes, "keepdims", g.choice([0, 1]), 1))
        kind = "exact" if name in ("ReduceMax", "ReduceMin") else "smooth"
        as_input = g.opset >= (13 if name == "ReduceSum" else 18)
        if axes is not None:
            given = [a - x.rank if g.opset >= 11 and g.chance(0.3) else a for a in axes]
            if as_input:
                inputs = [g.given(given)]
            else:
                attributes["axes"] = given
        elif as_input and g.maybe(attributes, "noop_with_empty_axes", g.choice([0, 1]), 0):
            if name not in ("ReduceSum", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd"):
                raise Skip  # what becomes of the elements differs between implementations
            return Node(name, [x], attributes, lambda x: x, "move")
        over = None if axes is None else tuple(axes)
        return Node(name, [x] + inputs, attributes, lambda x, *_: formula(x, over, keep), kind)


for name_, formula_ in REDUCTIONS.items():
    reduce(name_, lambda x, a, k, f=formula_: f(x, a, k) if x.size else refuse())


def refuse():
    raise Skip  # reductions of nothing


def extreme(name, first):
    @row(name)
    def make(g):
        x, attributes = g.pick(["float", "float", "int64", "uint8"], least=1), {}
        axis = g.maybe(attributes, "axis", g.axis(x.rank), 0)
        keep = g.maybe(attributes, "keepdims", g.choice([0, 1]), 1)
        last = g.maybe(attributes, "select_last_index", g.choice([0, 1]), 0) if g.opset >= 12 else 0
        if x.shape[axis] == 0:
            raise Skip

        def run(x):
            y = x.shape[axis] - 1 - first(np.flip(x, axis), axis) if last else first(x, axis)
            return np.asarray(np.expand_dims(y, axis) if keep else y, np.int64)
        return Node(name, [x], attributes, run, "exact", ["int64"])


extreme("ArgMax", np.argmax)
extreme("ArgMin", np.argmin)


@row("TopK")
def top_k(g):
    x, attributes = g.pick(["float", "float"] + ["int64", "int32"] * (g.opset >= 11), least=1), {}
    axis = g.maybe(attributes, "axis", g.axis(x.rank), -1)
    if x.array.size == 0:
        raise Skip
    k = g.random.randint(1, x.shape[axis])
    largest = g.maybe(attributes, "largest", g.choice([0, 1]), 1) if g.opset >= 11 else 1
    if g.opset >= 11:
        g.maybe(attributes, "sorted", 1, 1)
    if g.opset < 10:
        attributes["k"] = k

    def run(x, *_):
        order = np.argsort(-x if largest else x, axis, kind="stable")
        order = np.take(order, range(k), axis)
        return np.take_along_axis(x, order, axis), order.astype(np.int64)
    return Node("TopK", [x] + ([g.given([k])] if g.opset >= 10 else []), attributes, run, "exact", [x.type, "int64"])


def cumulative(name, since, add, start):
    @row(name, since)
    def make(g):
        x, attributes = g.pick(["float", "float", "int64", "int32"], least=1), {}
        axis = g.axis(x.rank)
        exclusive = g.maybe(attributes, "exclusive", g.choice([0, 1]), 0)
        reverse = g.maybe(attributes, "reverse", g.choice([0, 1]), 0)

        def run(x, _):
            x = np.flip(x, axis) if reverse else x
            y = add(x, axis).astype(x.dtype)
            if exclusive:
                first = np.full_like(np.take(y, [0], axis), start)
                y = np.concatenate([first, np.take(y, range(y.shape[axis] - 1), axis)], axis)
            return np.flip(y, axis) if reverse else y
        if x.array.size == 0:
            raise Skip
        return Node(name, [x, g.given(axis, g.choice(["int64", "int32"]))], attributes, run)


cumulative("CumSum", 11, np.cumsum, 0)
cumulative("CumProd", 26, lambda x, axis: product(x, x.cumprod(axis), x.astype(float).cumprod(axis)), 1)


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def log_softmax(x, axis):
    x = x - x.max(axis, keepdims=True)
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


def hardmax(x, axis):
    y = np.zeros_like(x)
    np.put_along_axis(y, np.expand_dims(x.argmax(axis), axis), 1, axis)
    return y


def along(name, formula, kind):
    @row(name)
    def make(g):
        x, attributes = g.pick(["float", "float", "double"], least=1, fits=lambda v: v.array.size), {}
        axis = g.maybe(attributes, "axis", g.axis(x.rank), 1 if g.opset < 13 else -1)
        if g.opset < 13:  # the axes from `axis` on are one
            at = axis % x.rank
            rows = int(np.prod(x.shape[:at]))
            return Node(name, [x], attributes, lambda x: formula(x.reshape(rows, -1), 1).reshape(x.shape), kind)
        return Node(name, [x], attributes, lambda x: formula(x, axis), kind)


along("Softmax", softmax, "smooth")
along("LogSoftmax", log_softmax, "smooth")
along("Hardmax", hardmax, "exact")


@row("OneHot", 9)
def one_hot(g):
    depth, type_ = g.random.randint(1, 5), g.choice(["float", "int64", "bool", "int32"])
    at = g.leaf(g.array(g.shape(0, 3), g.choice(["int64", "int32"]), -depth - (g.opset >= 11), depth))
    if g.opset < 11:
        at = g.leaf(g.array(g.shape(0, 3), "int64", 0, depth - 1))
    values, attributes = g.leaf(g.array((2,), type_)), {}
    axis = g.maybe(attributes, "axis", g.axis(at.rank + 1), -1)

    def run(i, _, values):
        i = np.where(i < 0, i + depth, i)
        shape = [1] * (i.ndim + 1)
        shape[axis] = depth
        on = np.expand_dims(i, axis) == np.arange(depth).reshape(shape)
        return np.where(on, values[1], values[0])
    return Node("OneHot", [at, g.given(g.choice([depth, [depth]])), values], attributes, run, "move", [type_])


@row("Range", 11)
def range_(g):
    if g.chance(0.5):
        start, limit, step = g.random.randint(-5, 5), g.random.randint(-5, 8), g.choice([1, 2, -1, -3])
        numbers, type_ = [start, limit, step], g.choice(["int64", "int32"])
    else:
        numbers, type_ = [g.random.randint(-8, 8) / 4, g.random.randint(-8, 12) / 4, g.choice([0.5, 0.25, -0.75])], "float"
    run = lambda a, b, c: a + np.arange(max(0, int(np.ceil((float(b) - float(a)) / float(c))))).astype(a.dtype) * c
    return Node("Range", [g.given(n, type_) for n in numbers], {}, run, "exact")


@row("ConstantOfShape", 9)
def constant_of_shape(g):
    shape, type_ = g.shape(0, 4), g.choice(["float", "int64", "bool", "int32", "float16"])
    from onnx import numpy_helper
    value = g.array((1,), type_)
    attributes = {} if type_ == "float" and g.chance(0.3) else {"value": numpy_helper.from_array(value)}
    fill = value[0] if attributes else np.float32(0)
    given = g.find(lambda v: v.rank == 1 and 0 < v.shape[0] < 5 and v.within(1, 4), ["int64"]) or g.given(list(shape))
    return Node("ConstantOfShape", [given], attributes, lambda s: np.full(s, fill), "exact", [type_])


@row("NonZero", 9)
def non_zero(g):
    x = g.pick(["float", "bool", "int64", "uint8"], least=1)
    return Node("NonZero", [x], {}, lambda x: np.array(np.nonzero(x), np.int64), "exact", ["int64"])


@row("EyeLike", 9)
def eye_like(g):
    x, attributes = g.pick(["float", "int64"], least=2, most=2), {}
    k, type_ = g.maybe(attributes, "k", g.choice([-1, 0, 1]), 0), g.choice([x.type, "int32", "float", "bool"])
    if type_ != x.type:
        attributes["dtype"] = CODES[type_]
    return Node("EyeLike", [x], attributes, lambda x: np.eye(*x.shape, k=k, dtype=TYPES[type_]), "exact", [type_])


@row("Unique", 11)
def unique(g):
    x, attributes = g.pick(["float", "int64", "uint8"], least=1, most=3, fits=lambda v: v.array.size), {}
    axis = g.axis(x.rank) if g.chance(0.5) else None
    if axis is not None:
        attributes["axis"] = axis
    ordered = g.maybe(attributes, "sorted", g.choice([0, 1]), 1)

    def run(x):
        y, first, back, counts = np.unique(x, True, True, True, axis=axis)
        if not ordered:
            order = np.argsort(first)
            y = np.take(y, order, 0 if axis is None else axis)
            first, counts, back = first[order], counts[order], np.argsort(order)[back]
        return y, first.astype(np.int64), back.astype(np.int64), counts.astype(np.int64)
    return Node("Unique", [x], attributes, run, "exact", [x.type] + ["int64"] * 3)
