"""Matrix products and normalizations."""
import numpy as np

from graph import Node, Skip, row
from windows import channel, images


@row("MatMul")
def matmul(g):
    type_ = g.choice(["float", "float", "double"] + ["int64", "int32"] * (g.opset >= 9))
    x = g.pick([type_], least=1, most=4, fits=lambda v: v.array.size and abs(v.array).max() < 20)
    n, rank = x.shape[-1], g.random.randint(1, 4)
    shape = [n] if rank == 1 else [n, g.length()]
    if rank > 2:
        shape = [g.choice([1, d]) for d in ((1,) * 4 + x.shape[:-2])[-(rank - 2):]] + shape
    y = g.like(shape, type_)
    if g.chance(0.3):
        y, x = g.leaf(np.swapaxes(y.stored(), -1, -2), type_) if y.rank > 1 else y, x
        if y.rank > 1 and x.rank > 1:
            order = list(range(x.rank - 2)) + [x.rank - 1, x.rank - 2]
            t = Node("Transpose", [x], {"perm": order}, lambda x: np.swapaxes(x, -1, -2), "move")
            g.compute(t)
            g.nodes.append(t)
            return Node("MatMul", [y, t.outputs[0]], {}, np.matmul)
        return Node("MatMul", [y, x], {}, np.matmul) if x.rank == 1 and y.shape[-1] == x.shape[0] else refuse()
    return Node("MatMul", [x, y], {}, np.matmul)


def refuse():
    raise Skip


@row("Gemm")
def gemm(g):
    a, attributes = g.pick(least=2, most=2, fits=lambda v: v.array.size and abs(v.array).max() < 20), {}
    ta, tb = (g.maybe(attributes, name, g.choice([0, 1]), 0) for name in ("transA", "transB"))
    alpha, beta = (g.maybe(attributes, name, g.choice([1.0, 1.0, 0.5, 2.0]), 1.0) for name in ("alpha", "beta"))
    rows, n = reversed(a.shape) if ta else a.shape
    m = g.length() or 1
    b = g.like((m, n) if tb else (n, m))
    c = g.leaf(g.array(g.choice([(m,), (1, m), (rows, 1), (rows, m), (), (1,)]))) if g.opset < 11 or g.chance(0.7) else None

    def run(a, b, c=None):
        y = alpha * np.matmul(a.T if ta else a, b.T if tb else b)
        return y if c is None else (y + beta * c)
    return Node("Gemm", [a, b] + ([c] if c is not None else []), attributes, run)


@row("Einsum", 12)
def einsum(g):
    equation = g.choice(["ij,jk->ik", "bij,bjk->bik", "i,j->ij", "ij->ji", "ii->i", "ij->", "bhid,bhjd->bhij", "ij,ij->i",
                         "...ij,...jk->...ik", "ab,cb,db->acd", "ij,jk", "bi,ij,bj->b", "...i->...", "i j, j k -> i k"])
    sizes, inputs = {}, []
    for term in equation.split("->")[0].split(","):
        shape = [sizes.setdefault(s, g.length() or 1) for s in term.replace(".", "").replace(" ", "")]
        if "..." in term:
            shape = [sizes.setdefault("...", g.random.randint(1, 3))] * 1 + shape
        inputs.append(g.like(shape))
    return Node("Einsum", inputs, {"equation": equation}, lambda *all_: np.einsum(equation.replace(" ", ""), *all_))


def normalized(x, axes, epsilon):
    mean = x.mean(axes, keepdims=True)
    return (x - mean) / np.sqrt(((x - mean)**2).mean(axes, keepdims=True) + epsilon)


def small(g, attributes, default=1e-5):
    return float(np.float32(g.maybe(attributes, "epsilon", g.choice([default, 1e-3, 0.1]), default)))


def spread(x, axes):
    """Refuses what is nearly constant, where the quotient is ill-conditioned."""
    if x.array.size == 0 or np.min(x.array.std(axes)) < 0.05:
        raise Skip


@row("BatchNormalization")
def batch_normalization(g):
    x, attributes = images(g) if g.chance(0.8) else g.pick(least=2, most=3, fits=lambda v: v.array.size), {}
    e, n = small(g, attributes), x.shape[1]
    if g.chance(0.3):
        attributes["momentum"] = 0.8
    variance = g.leaf(g.array((n,), low=0.5, high=2))
    inputs = [x, g.weights([n]), g.weights([n]), g.weights([n]), variance]
    run = lambda x, s, b, m, v: channel(s, x) * (x - channel(m, x)) / np.sqrt(channel(v, x) + e) + channel(b, x)
    g.agree(g, inputs, run, lambda t, f, x, s, b, m, v: f.batch_norm(x, m, v, s, b, False, 0.1, e))
    return Node("BatchNormalization", inputs, attributes, run)


@row("InstanceNormalization")
def instance_normalization(g):
    x, attributes = images(g), {}
    axes, n, e = tuple(range(2, x.rank)), x.shape[1], small(g, attributes)
    spread(x, axes)
    inputs = [x, g.weights([n]), g.weights([n])]
    run = lambda x, s, b: channel(s, x) * normalized(x, axes, e) + channel(b, x)
    g.agree(g, inputs, run, lambda t, f, x, s, b: f.instance_norm(x, None, None, s, b, True, 0.1, e))
    return Node("InstanceNormalization", inputs, attributes, run)


@row("GroupNormalization", 18)
def group_normalization(g):
    x, attributes = images(g), {}
    n = x.shape[1]
    groups = g.choice([d for d in range(1, n + 1) if n % d == 0])
    attributes["num_groups"], e = groups, small(g, attributes)
    spread_of = x.array.reshape(x.shape[0], groups, -1)
    if spread_of.std(2).min() < 0.05:
        raise Skip
    size = n if g.opset >= 21 else groups
    inputs = [x, g.weights([size]), g.weights([size])]

    def run(x, s, b):
        y = normalized(x.reshape(x.shape[0], groups, -1), 2, e)
        if size == groups:
            s, b = (np.repeat(v, n // groups) for v in (s, b))
        return y.reshape(x.shape) * channel(s, x) + channel(b, x)
    if size == n:
        g.agree(g, inputs, run, lambda t, f, x, s, b: f.group_norm(x, groups, s, b, e))
    return Node("GroupNormalization", inputs, attributes, run)


@row("LayerNormalization", 17)
def layer_normalization(g):
    x, attributes = g.pick(least=1), {}
    axis, e = g.maybe(attributes, "axis", g.axis(x.rank), -1), small(g, attributes)
    axes = tuple(range(axis % x.rank, x.rank))
    spread(x, axes)
    shape = x.shape[axes[0]:]
    inputs = [x, g.weights(shape)] + ([g.weights(shape)] if g.chance(0.6) else [])
    run = lambda x, s, b=None: normalized(x, axes, e) * s + (0 if b is None else b)
    g.agree(g, inputs, run, lambda t, f, x, s, b=None: f.layer_norm(x, shape, s, b, e))
    return Node("LayerNormalization", inputs, attributes, run)


@row("RMSNormalization", 23)
def rms_normalization(g):
    x, attributes = g.pick(least=1), {}
    axis, e = g.maybe(attributes, "axis", g.axis(x.rank), -1), small(g, attributes)
    axes = tuple(range(axis % x.rank, x.rank))
    spread(x, axes)
    run = lambda x, s: x / np.sqrt((x**2).mean(axes, keepdims=True) + e) * s
    return Node("RMSNormalization", [x, g.weights(x.shape[axes[0]:])], attributes, run)


@row("MeanVarianceNormalization", 9)
def mean_variance_normalization(g):
    x, attributes = g.pick(least=4, most=4), {}
    axes = g.maybe(attributes, "axes", g.choice([[0, 2, 3], [2, 3], [1]]), [0, 2, 3])
    spread(x, tuple(axes))
    return Node("MeanVarianceNormalization", [x], attributes, lambda x: normalized(x, tuple(axes), 0))


@row("LpNormalization")
def lp_normalization(g):
    x, attributes = g.pick(least=1), {}
    axis, p = g.maybe(attributes, "axis", g.axis(x.rank), -1), g.maybe(attributes, "p", g.choice([1, 2]), 2)
    norm = lambda x: (np.abs(x)**p).sum(axis, keepdims=True)**(1 / p)
    if x.array.size == 0 or norm(x.array).min() < 0.1:
        raise Skip
    return Node("LpNormalization", [x], attributes, lambda x: x / norm(x))


@row("LRN")
def lrn(g):
    x, attributes = g.pick(least=3, most=4, fits=lambda v: v.array.size), {"size": g.choice([1, 2, 3, 5])}
    size, n = attributes["size"], x.shape[1]
    a, b, k = (float(np.float32(g.maybe(attributes, name, g.choice([d, v]), d)))
               for name, d, v in (("alpha", 0.0001, 0.5), ("beta", 0.75, 0.5), ("bias", 1.0, 2.0)))

    def run(x):
        y = np.zeros_like(x)
        for c in range(n):
            around = x[:, max(0, c - (size - 1) // 2):min(n, c + size // 2 + 1)]
            y[:, c] = x[:, c] / (k + a / size * (around**2).sum(1))**b
        return y
    return Node("LRN", [x], attributes, run)
