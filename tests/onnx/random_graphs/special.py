"""Ops on infinities, NaN and zeros of both signs."""
import numpy as np

from elementwise import erf, sigmoid
from graph import CODES, Node, Skip, row


def special_leaf(g, shape):
    """An input with infinities, NaN and zeros of both signs, which only one node reads."""
    some = np.array([np.inf, -np.inf, np.nan, 0, -0.0, 1, -2, 3.5], np.float32)
    some = some[g.choice([slice(0, 8), slice(0, 2), slice(3, 8), slice(1, 4)])]
    x = g.leaf(some[g.numbers.randint(0, len(some), shape)])
    g.values.remove(x)
    return x


SPECIAL = {  # name: (since, number of inputs, formula, type of the result)
    "Abs": (7, 1, np.abs, "float"), "Neg": (7, 1, np.negative, "float"), "Floor": (7, 1, np.floor, "float"),
    "Relu": (7, 1, lambda x: np.maximum(x, 0), "float"), "Sqrt": (7, 1, np.sqrt, "float"), "Log": (7, 1, np.log, "float"),
    "Exp": (7, 1, np.exp, "float"), "Tanh": (7, 1, np.tanh, "float"), "Sigmoid": (7, 1, sigmoid, "float"),
    "Softplus": (7, 1, lambda x: np.logaddexp(x, 0), "float"), "Erf": (9, 1, lambda x: erf(x).astype(x.dtype), "float"),
    "Add": (7, 2, np.add, "float"), "Sub": (7, 2, np.subtract, "float"), "Mul": (7, 2, np.multiply, "float"),
    "Div": (7, 2, np.divide, "float"), "Max": (8, 2, np.maximum, "float"), "Min": (8, 2, np.minimum, "float"),
    "Less": (9, 2, np.less, "bool"), "Greater": (9, 2, np.greater, "bool"), "Equal": (11, 2, np.equal, "bool"),
    "LessOrEqual": (12, 2, np.less_equal, "bool"), "GreaterOrEqual": (12, 2, np.greater_equal, "bool"),
    "ReduceMax": (11, 1, lambda x: x.max(keepdims=True), "float"),
    "ReduceMin": (11, 1, lambda x: x.min(keepdims=True), "float"),
    "ReduceSum": (11, 1, lambda x: x.sum(keepdims=True), "float"), "Cast": (9, 1, lambda x: x != 0, "bool"),
    "IsNaN": (9, 1, np.isnan, "bool"), "Reciprocal": (7, 1, lambda x: 1 / x, "float"), "Atan": (7, 1, np.arctan, "float"),
    "LeakyRelu": (7, 1, lambda x: np.where(x < 0, x * np.float32(0.01), x), "float"), "Sign": (9, 1, np.sign, "float"),
    "Elu": (7, 1, lambda x: np.where(x < 0, np.expm1(x), x), "float"), "Sinh": (9, 1, np.sinh, "float"),
    "Cosh": (9, 1, np.cosh, "float"), "Asinh": (9, 1, np.arcsinh, "float"), "Acosh": (9, 1, np.arccosh, "float"),
    "HardSigmoid": (7, 1, lambda x: np.clip(x * np.float32(0.2) + np.float32(0.5), 0, 1), "float"),
    "ThresholdedRelu": (10, 1, lambda x: np.where(x > 1, x, 0 * np.isnan(x)), "float"), "Sum": (8, 2, np.add, "float"),
    "ReduceMean": (11, 1, lambda x: x.mean(keepdims=True), "float"), "Sin": (7, 1, np.sin, "float"),
    "ReduceL2": (11, 1, lambda x: np.sqrt((x * x).sum(keepdims=True)), "float"),
    "Softsign": (7, 1, lambda x: x / (1 + abs(x)), "float"),
    "Atanh": (9, 1, np.arctanh, "float"),
    "Identity": (7, 1, lambda x: x, "float"), "Round": (11, 1, np.rint, "float"), "Ceil": (7, 1, np.ceil, "float"),
}


@row("An op on infinities, NaN and zeros")
def special(g):
    name = g.choice([name for name, each in SPECIAL.items() if each[0] <= g.opset])
    _, count, formula, result = SPECIAL[name]
    shape = g.shape(0, 3)
    if 0 in shape and name.startswith("Reduce"):
        raise Skip
    inputs = [special_leaf(g, shape) for _ in range(count)]
    node = Node(name, inputs, {"to": CODES["bool"]} if name == "Cast" else {}, formula, "exact", [result])
    node.special = True
    return node


@row("IsInf", 10)
def is_inf(g):
    attributes = {}
    plus = g.maybe(attributes, "detect_positive", g.choice([0, 1]), 1)
    minus = g.maybe(attributes, "detect_negative", g.choice([0, 1]), 1)
    run = lambda x: np.isinf(x) & ((x > 0) & bool(plus) | (x < 0) & bool(minus))
    return Node("IsInf", [special_leaf(g, g.shape())], attributes, run, "exact", ["bool"])
