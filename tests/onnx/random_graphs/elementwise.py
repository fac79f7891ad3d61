"""Ops on single elements, with broadcasting, and casts."""
import math

import numpy as np

from graph import CODES, FLOATS, INTEGERS, TYPES, Node, Skip, row

erf = np.vectorize(math.erf, otypes=[np.float64])


def typed(x, y):
    """y in the precision of x."""
    return y.astype(x.dtype)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log1p(np.exp(x))


# name: (formula, since, kind, low, high)
UNARY = {
    "Abs": (np.abs, 7, "exact", -9, 9), "Neg": (np.negative, 7, "exact", -9, 9),
    "Relu": (lambda x: np.where(x > 0, x, x * 0), 7, "exact", -9, 9),
    "Floor": (np.floor, 7, "exact", -9, 9), "Ceil": (np.ceil, 7, "exact", -9, 9),
    "Round": (np.rint, 11, "exact", -9, 9), "Sign": (np.sign, 9, "exact", -9, 9),
    "Identity": (lambda x: x, 7, "move", -9, 9), "Sqrt": (np.sqrt, 7, "exact", 0.1, 9),
    "Reciprocal": (lambda x: 1 / x, 7, "exact", 0.2, 9), "Exp": (np.exp, 7, "smooth", -9, 3),
    "Log": (np.log, 7, "smooth", 0.1, 9), "Sin": (np.sin, 7, "smooth", -9, 9), "Cos": (np.cos, 7, "smooth", -9, 9),
    "Tan": (np.tan, 7, "smooth", -1, 1), "Asin": (np.arcsin, 7, "smooth", -0.9, 0.9),
    "Acos": (np.arccos, 7, "smooth", -0.9, 0.9), "Atan": (np.arctan, 7, "smooth", -9, 9),
    "Sinh": (np.sinh, 9, "smooth", -3, 3), "Cosh": (np.cosh, 9, "smooth", -3, 3), "Tanh": (np.tanh, 7, "smooth", -9, 9),
    "Asinh": (np.arcsinh, 9, "smooth", -9, 9), "Acosh": (np.arccosh, 9, "smooth", 1.1, 9),
    "Atanh": (np.arctanh, 9, "smooth", -0.9, 0.9), "Erf": (erf, 9, "smooth", -4, 4),
    "Sigmoid": (sigmoid, 7, "smooth", -9, 9), "Softplus": (softplus, 7, "smooth", -9, 9),
    "Softsign": (lambda x: x / (1 + np.abs(x)), 7, "smooth", -9, 9),
    "HardSwish": (lambda x: x * np.clip(x / 6 + 0.5, 0, 1), 14, "smooth", -9, 9),
    "Mish": (lambda x: x * np.tanh(softplus(x)), 18, "smooth", -9, 9),
}


def unary(name, formula, since, kind, low, high):
    @row(name, since)
    def make(g):
        types = ["float", "float", "float", "double"]
        if name in ("Abs", "Neg", "Sign"):
            types += ["int64", "int32", "int8"]
        if name == "Identity":
            types = list(TYPES)
        if name == "Relu" and g.opset >= 14:
            types += ["int32", "int8"]
        x = g.pick(types, low=math.ceil(low) if low > -1 else low, high=high,
                   fits=lambda v: v.array.size == 0 or v.type in ("bool",) or low <= v.array.min() and v.array.max() <= high)
        return Node(name, [x], {}, lambda x: typed(x, formula(x)), kind)


for name_, row_ in UNARY.items():
    unary(name_, *row_)


def with_numbers(name, since, defaults, formula):
    """An activation with attributes: {name: default}."""
    @row(name, since)
    def make(g):
        x = g.pick(["float", "float", "double"])
        attributes = {}
        values = [g.maybe(attributes, key, g.choice([default, 0.25, 0.5, 1.5]), default) for key, default in defaults.items()]
        single = [float(np.float32(v)) for v in values]
        return Node(name, [x], attributes, lambda x: typed(x, formula(x, *single)))


with_numbers("LeakyRelu", 7, {"alpha": 0.01}, lambda x, a: np.where(x < 0, a * x, x))
with_numbers("Elu", 7, {"alpha": 1.0}, lambda x, a: np.where(x < 0, a * np.expm1(x), x))
with_numbers("Celu", 12, {"alpha": 1.0}, lambda x, a: np.maximum(x, 0) + np.minimum(0, a * np.expm1(x / a)))
with_numbers("Selu", 7, {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
             lambda x, a, g: g * np.where(x > 0, x, a * np.expm1(x)))
with_numbers("HardSigmoid", 7, {"alpha": 0.2, "beta": 0.5}, lambda x, a, b: np.clip(a * x + b, 0, 1))
with_numbers("ThresholdedRelu", 10, {"alpha": 1.0}, lambda x, a: np.where(x > a, x, 0))
with_numbers("Swish", 24, {"alpha": 1.0}, lambda x, a: x * sigmoid(a * x))
with_numbers("Shrink", 9, {"lambd": 0.5, "bias": 0.0},
             lambda x, l, b: np.where(x < -l, x + b, np.where(x > l, x - b, 0)))


@row("Gelu", 20)
def gelu(g):
    x, attributes = g.pick(), {}
    if g.maybe(attributes, "approximate", g.choice(["none", "tanh"]), "none") == "none":
        return Node("Gelu", [x], attributes, lambda x: typed(x, x * 0.5 * (1 + erf(x / math.sqrt(2)))))
    return Node("Gelu", [x], attributes,
                lambda x: typed(x, 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))))


@row("PRelu", 9)
def prelu(g):
    x = g.pick(most=4)
    slope = g.array([1 if g.chance(0.4) else n for n in x.shape][g.random.randint(0, x.rank):])
    return Node("PRelu", [x, g.leaf(slope)], {}, lambda x, s: np.where(x < 0, x * s, x), "exact")


def integer_division(a, b):
    if not np.issubdtype(a.dtype, np.integer):
        return a / b
    if np.any(b == 0):
        raise Skip
    quotient = np.abs(a.astype(np.int64)) // np.abs(b.astype(np.int64))  # towards zero
    return (quotient * np.sign(a.astype(np.int64)) * np.sign(b.astype(np.int64))).astype(a.dtype)


ARITHMETIC = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": integer_division}


def binary(name, formula):
    @row(name)
    def make(g):
        x = g.pick(["float", "float", "float", "double", "int64", "int32", "uint8", "int8"])
        y = g.partner(x, low=1 if name == "Div" else -3, high=3)
        pair = [x, y]
        if g.chance(0.3) and name != "Div":
            pair.reverse()
        return Node(name, pair, {}, formula, "exact")


for name_, formula_ in ARITHMETIC.items():
    binary(name_, formula_)


@row("Pow")
def power(g):
    x = g.pick(["float", "int64", "int32"] if g.opset >= 12 else ["float"], low=1, high=3,
               fits=lambda v: v.array.size == 0 or abs(v.array).max() < 5)
    if x.type == "float":
        positive = x.array.size == 0 or x.array.min() > 0.2
        type_ = "int64" if g.opset >= 12 and g.chance(0.3) else "float"
        y = g.partner(x, type_, 0, 3) if positive else g.given(g.choice([2, 3, 1, 0]), type_)
        return Node("Pow", [x, y], {}, lambda x, y: typed(x, np.power(x, y.astype(x.dtype))))
    return Node("Pow", [x, g.partner(x, "int64", 0, 4)], {}, lambda x, y: typed(x, np.power(x.astype(np.int64), y)))


@row("Mod", 10)
def mod(g):
    if g.chance(0.4):
        x = g.pick()
        y = g.leaf(g.array([1 if g.chance(0.5) else n for n in x.shape], low=1, high=3) * np.float32(g.choice([1, -1])))
        return Node("Mod", [x, y], {"fmod": 1}, np.fmod, "exact")
    x, attributes = g.pick(["int64", "int32", "int8", "uint8"]), {}
    y = g.partner(x, low=1, high=5)
    if y.array.size and not y.array.all():
        raise Skip
    fmod = g.maybe(attributes, "fmod", g.choice([0, 1]), 0)
    return Node("Mod", [x, y], attributes, np.fmod if fmod else np.mod, "exact")


@row("BitShift", 11)
def shift(g):
    x = g.pick(["uint8", "uint16", "uint32"], low=0, high=200)
    y = g.partner(x, low=0, high=7)
    left = g.choice([True, False])
    return Node("BitShift", [x, y], {"direction": "LEFT" if left else "RIGHT"},
                lambda x, y: typed(x, np.left_shift(x, y) if left else np.right_shift(x, y)), "exact")


def pairwise(name, since, types, formula, result=None):
    @row(name, since)
    def make(g):
        of = types(g)
        x = g.pick(of)
        pair = [x, g.partner(x)]
        if g.chance(0.3):
            pair.reverse()
        return Node(name, pair, {}, formula, "exact", [result or x.type])


integers = lambda g: ["int64", "int32", "uint8"]
numbers = lambda g: ["float", "float", "double", "int64", "int32"] if g.opset >= 9 else ["float"]
pairwise("BitwiseAnd", 18, integers, np.bitwise_and)
pairwise("BitwiseOr", 18, integers, np.bitwise_or)
pairwise("BitwiseXor", 18, integers, np.bitwise_xor)
pairwise("Less", 7, numbers, np.less, "bool")
pairwise("Greater", 7, numbers, np.greater, "bool")
pairwise("LessOrEqual", 12, numbers, np.less_equal, "bool")
pairwise("GreaterOrEqual", 12, numbers, np.greater_equal, "bool")
pairwise("Equal", 7, lambda g: ["int64", "int32", "bool"] + ["float"] * (g.opset >= 11), np.equal, "bool")
pairwise("And", 7, lambda g: ["bool"], np.logical_and)
pairwise("Or", 7, lambda g: ["bool"], np.logical_or)
pairwise("Xor", 7, lambda g: ["bool"], np.logical_xor)


@row("Not")
def negation(g):
    return Node("Not", [g.pick(["bool"])], {}, np.logical_not, "move")


@row("BitwiseNot", 18)
def bitwise_not(g):
    return Node("BitwiseNot", [g.pick(["int64", "int32", "uint8"])], {}, np.invert, "exact")


@row("IsNaN", 9)
def is_nan(g):
    return Node("IsNaN", [g.pick()], {}, np.isnan, "exact", ["bool"])


def require_broadcast(values):
    try:
        np.broadcast_shapes(*(v.shape for v in values))
    except ValueError:
        raise Skip


def several(name, formula, integers_since, kind):
    @row(name, 8)
    def make(g):
        x = g.pick(["float"] + ["int64", "int32", "uint8"] * (g.opset >= integers_since))
        inputs = [x] + [g.partner(x) for _ in range(g.choice([0, 1, 1, 2]))]
        g.random.shuffle(inputs)
        require_broadcast(inputs)
        return Node(name, inputs, {}, lambda *all_: formula(all_), kind)


def folded(formula):
    def run(all_):
        result = all_[0]
        for each in all_[1:]:
            result = formula(result, each)
        return result
    return run


several("Max", folded(np.maximum), 12, "exact")
several("Min", folded(np.minimum), 12, "exact")
several("Sum", folded(np.add), 99, "smooth")
several("Mean", lambda all_: typed(all_[0], folded(np.add)(all_) / len(all_)), 99, "smooth")


@row("Where", 9)
def where(g):
    x = g.pick(["float", "float", "int64", "bool", "double", "uint8", "float16"])
    condition = g.partner(x, "bool")
    inputs = [condition, x, g.partner(x)]
    require_broadcast(inputs)
    return Node("Where", inputs, {}, np.where, "move", [x.type])


@row("Clip")
def clip(g):
    x = g.pick(["float", "float"] + ["int64", "int8", "uint8"] * (g.opset >= 12), low=-3, high=5)
    low, high = [g.choice(pair) for pair in ([None, -1, 0, 1], [None, 1, 2, 0.5 if x.type == "float" else 2])]
    if x.type[0] == "u" and low is not None:
        low = abs(low)
    if low is not None and high is not None and low > high:
        low = high
    run = lambda x, *_: x if low is None and high is None else typed(x, np.clip(x, low, high))
    if g.opset < 11:
        return Node("Clip", [x], {key: float(v) for key, v in (("min", low), ("max", high)) if v is not None}, run, "exact")
    inputs = [x, None if low is None else g.given(low, x.type), None if high is None else g.given(high, x.type)]
    while inputs[-1] is None:
        inputs.pop()
    return Node("Clip", inputs, {}, run, "exact")


@row("Cast")
def cast(g):
    x, to = g.pick(list(TYPES), low=-9, high=9), g.choice(TYPES)
    if x.type in FLOATS and to in INTEGERS and not x.within(0 if to[0] == "u" else -100, 100):
        raise Skip
    return Node("Cast", [x], {"to": CODES[to]}, caster(x, to), "exact", [to])


def caster(x, to):
    def run(x):
        if to in FLOATS and x.dtype == np.float64 and to != "float16":
            return x  # the double run stays in double precision
        return x.astype(TYPES[to]).astype(np.float32 if to in FLOATS else TYPES[to])
    return run


@row("CastLike", 15)
def cast_like(g):
    x, other = g.pick(["float", "int64", "bool", "int32"], low=0, high=9), g.pick(["float", "int64", "bool", "float16"])
    run = caster(x, other.type)
    return Node("CastLike", [x, other], {}, lambda x, _: run(x), "exact", [other.type])


@row("Dropout")
def dropout(g):
    x, ratio = g.pick(), g.choice([0.1, 0.5])
    attributes, inputs = {}, [x]
    if g.opset < 12:
        attributes["ratio"] = ratio
    elif g.chance(0.6):
        inputs.append(g.given(ratio, "float"))
    if g.opset >= 10 and g.chance(0.5):
        return Node("Dropout", inputs, attributes, lambda x, *_: (x, np.ones(x.shape, bool)), "move", ["float", "bool"])
    return Node("Dropout", inputs, attributes, lambda x, *_: x, "move")
