"""Losses, attention, determinants, and If."""
import numpy as np
from onnx import helper

from graph import CODES, Node, Skip, row
from reductions import log_softmax, softmax
from windows import whole_image

whole_image("GlobalLpPool", lambda x, a: np.sqrt((x**2).sum(a, keepdims=True)))


def loss(name, since):
    @row(name, since)
    def make(g):
        x, attributes = g.pick(least=2, most=4, fits=lambda v: v.array.size), {}
        classes, shape = x.shape[1], x.shape[:1] + x.shape[2:]
        how = g.maybe(attributes, "reduction", g.choice(["none", "mean", "sum"]), "mean")
        ignored = g.choice([None, 0, -1])
        labels = g.array(shape, g.choice(["int64", "int32"]), 0, classes - 1)
        if ignored is not None:
            attributes["ignore_index"] = ignored
            labels[g.numbers.rand(*shape) < 0.3] = ignored
        inputs = [x, g.leaf(labels)] + ([g.leaf(g.array((classes,), low=0.5, high=2))] if g.chance(0.5) else [])
        if ignored is not None and not (labels != ignored).any():
            raise Skip

        def run(x, t, w=None):
            logs = log_softmax(x, 1) if name == "SoftmaxCrossEntropyLoss" else x
            each = np.ones(classes, x.dtype) if w is None else w
            counted = np.ones(t.shape, bool) if ignored is None else t != ignored
            at = np.where(counted, t, 0)
            weight = each[at] * counted
            y = -np.take_along_axis(logs, np.expand_dims(at, 1), 1).squeeze(1) * weight
            return y if how == "none" else y.sum() if how == "sum" else y.sum() / weight.sum()
        return Node(name, inputs, attributes, run)


loss("NegativeLogLikelihoodLoss", 12)
loss("SoftmaxCrossEntropyLoss", 12)


@row("Attention", 23)
def attention(g):
    n, h, q_steps, steps, width = (g.choice([1, 2, 3]) for _ in range(5))
    attributes, groups = {}, g.choice([1, 1, 2])
    x = [g.leaf(g.array(s)) for s in ((n, h * groups, q_steps, width), (n, h, steps, width), (n, h, steps, width + 1))]
    causal = g.maybe(attributes, "is_causal", g.choice([0, 1]), 0)
    scale = float(np.float32(g.choice([0.5, 1.5]))) if g.chance(0.4) else width**-0.5
    if scale != width**-0.5:
        attributes["scale"] = scale
    if g.chance(0.4):
        boolean = g.chance(0.5)
        mask = g.array((q_steps, steps), "bool" if boolean else "float")
        if boolean:
            mask[:, 0] = True  # every query sees a key
        x.append(g.leaf(mask))

    def run(q, k, v, mask=None):
        k, v = (np.repeat(each, groups, 1) for each in (k, v))
        scores = q @ k.swapaxes(2, 3) * scale
        if mask is not None:
            scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
        if causal:
            scores = np.where(np.tril(np.ones((q_steps, steps), bool)), scores, -np.inf)
        return softmax(scores, 3) @ v
    return Node("Attention", x, attributes, run)


@row("Det", 11)
def det(g):
    n = g.random.randint(1, 3)
    return Node("Det", [g.like(list(g.shape(0, 2)) + [n, n])], {}, np.linalg.det)


@row("If", 11)
def branch(g):
    """A condition that selects one of two formulas of the values around them."""
    condition, x = g.leaf(g.array((), "bool")), g.pick()
    ops = {"Neg": np.negative, "Abs": np.abs, "Identity": lambda x: x, "Floor": np.floor}
    names = [g.choice(ops) for _ in range(2)]
    branches = []
    for i, name in enumerate(names):
        inner = f"{x.name}_{len(g.nodes)}_{i}"
        nodes = [helper.make_node(name, [x.name], [inner + "a"]), helper.make_node("Add", [inner + "a", x.name], [inner])]
        branches.append(helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(inner, CODES[x.type], x.shape)]))

    def run(c, x):
        return ops[names[0 if c else 1]](x) + x
    node = Node("If", [condition, x], {"then_branch": branches[0], "else_branch": branches[1]}, run, "exact", [x.type])
    node.implicit = 1  # x is not an input of the node
    return node
