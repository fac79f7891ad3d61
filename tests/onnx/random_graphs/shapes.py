"""Ops that change shapes, and computations on shapes."""
import numpy as np

from graph import ANY, Node, Skip, row


def axes_node(g, op, x, axes, since, run):
    """The axes as an attribute before opset `since`, then as an input."""
    if axes is None:
        return Node(op, [x], {}, run, "move")
    if g.opset < since:
        return Node(op, [x], {"axes": axes}, run, "move")
    return Node(op, [x, g.given(axes)], {}, run, "move")


@row("Transpose")
def transpose(g):
    x = g.pick(ANY)
    order = g.random.sample(range(x.rank), x.rank)
    if x.rank < 1 or g.chance(0.2):
        return Node("Transpose", [x], {}, lambda x: x.transpose(), "move")
    return Node("Transpose", [x], {"perm": order}, lambda x: x.transpose(order), "move")


def factors(g, size, most=4):
    """A shape of `size` elements."""
    shape = []
    while size > 1 and len(shape) < most - 1:
        divisors = [d for d in range(1, size + 1) if size % d == 0]
        shape.append(g.choice(divisors))
        size //= shape[-1]
    return shape + [size]


@row("Reshape")
def reshape(g):
    x, attributes = g.pick(ANY), {}
    if x.array.size == 0:
        raise Skip
    shape = factors(g, x.array.size)
    result = list(shape)
    if g.chance(0.3):
        same = [i for i, n in enumerate(shape) if i < x.rank and x.shape[i] == n]
        if same and g.chance(0.5):
            shape[g.choice(same)] = 0
    if g.chance(0.5):
        shape[g.random.randrange(len(shape))] = -1
    if g.opset >= 14 and 0 not in shape:
        g.maybe(attributes, "allowzero", g.choice([0, 1]), 0)
    return Node("Reshape", [x, g.given(shape)], attributes, lambda x, _: x.reshape(result), "move")


@row("Flatten")
def flatten(g):
    x, attributes = g.pick(ANY if g.opset >= 9 else ["float"]), {}
    axis = g.random.randint(0, x.rank)
    left = int(np.prod(x.shape[:axis]))
    right = int(np.prod(x.shape[axis:]))
    g.maybe(attributes, "axis", axis - x.rank if g.opset >= 11 and axis < x.rank and g.chance(0.4) else axis, 1)
    return Node("Flatten", [x], attributes, lambda x: x.reshape(left, right), "move")


@row("Squeeze")
def squeeze(g):
    x = g.pick(ANY, fits=lambda v: 1 in v.shape)
    ones = [i for i, n in enumerate(x.shape) if n == 1]
    axes = g.random.sample(ones, g.random.randint(1, len(ones)))
    given = [a - x.rank if g.opset >= 11 and g.chance(0.3) else a for a in axes]
    if g.chance(0.2):
        return axes_node(g, "Squeeze", x, None, 13, np.squeeze)
    return axes_node(g, "Squeeze", x, given, 13, lambda x, *_: np.squeeze(x, tuple(axes)))


@row("Unsqueeze")
def unsqueeze(g):
    x = g.pick(ANY, most=4)
    count = g.random.randint(1, 2)
    axes = g.random.sample(range(x.rank + count), count)
    given = [a - x.rank - count if g.opset >= 11 and g.chance(0.3) else a for a in axes]
    return axes_node(g, "Unsqueeze", x, given, 13, lambda x, *_: np.expand_dims(x, tuple(axes)))


@row("Expand", 8)
def expand(g):
    x = g.pick(ANY, most=4)
    shape = [g.choice([1, 2, 3]) if n == 1 else g.choice([1, n]) for n in x.shape][g.random.randint(0, x.rank):]
    if len(shape) == x.rank and g.chance(0.4):
        shape = [g.choice([1, 2])] + shape
    run = lambda x, _: np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(shape)))
    return Node("Expand", [x, g.given(shape)], {}, run, "move")


@row("Tile")
def tile(g):
    x = g.pick(ANY, most=4, least=1)
    repeats = [g.choice([1, 1, 2, 3]) for _ in x.shape]
    return Node("Tile", [x, g.given(repeats)], {}, lambda x, r: np.tile(x, r), "move")


@row("Concat")
def concat(g):
    x = g.pick(ANY, least=1)
    axis = g.axis(x.rank)
    others = []
    for _ in range(g.choice([0, 1, 1, 2])):
        shape = list(x.shape)
        shape[axis] = g.length()
        others.append(x if g.chance(0.2) else g.like(shape, x.type))
    inputs = [x] + others
    g.random.shuffle(inputs)
    return Node("Concat", inputs, {"axis": axis}, lambda *all_: np.concatenate(all_, axis), "move")


@row("Pad")
def pad(g):
    x, attributes = g.pick(["float", "float"] + ["int64", "uint8"] * (g.opset >= 11), least=1), {}
    mode = g.choice(["constant", "constant", "reflect", "edge"] + ["wrap"] * (g.opset >= 19))
    axes = list(range(x.rank))
    if g.opset >= 18 and g.chance(0.5):
        axes = sorted(g.random.sample(axes, g.random.randint(1, x.rank)))
    widths = [(0, 0)] * x.rank
    for a in axes:
        most = {"reflect": x.shape[a] - 1, "wrap": x.shape[a]}.get(mode, 2)
        least = -min(1, x.shape[a] // 3) if mode == "constant" else 0
        widths[a] = tuple(g.random.randint(least, max(least, min(most, 2))) for _ in range(2))
    if x.array.size == 0 and mode != "constant":
        raise Skip
    pads = [widths[a][0] for a in axes] + [widths[a][1] for a in axes]
    g.maybe(attributes, "mode", mode, "constant")
    value = g.choice([0, 1, 2]) if mode == "constant" else 0

    def run(x, *_):
        x = x[tuple(slice(max(0, -b), n - max(0, -e)) for n, (b, e) in zip(x.shape, widths))]
        extra = [(max(0, b), max(0, e)) for b, e in widths]
        return np.pad(x, extra, mode, **({"constant_values": value} if mode == "constant" else {}))
    if g.opset < 11:
        attributes["pads"] = pads
        if g.maybe(attributes, "value", float(value), 0.0) is None:
            raise Skip
        return Node("Pad", [x], attributes, run, "move")
    partial = list(axes) != list(range(x.rank))
    inputs = [x, g.given(pads)]
    if value or partial or g.chance(0.4):
        inputs.append(g.given(value, x.type) if value or g.chance(0.5) else None)
    if inputs[-1] is None and not partial:
        inputs.pop()
    if partial:
        inputs.append(g.given([a - x.rank if g.chance(0.3) else a for a in axes]))
    return Node("Pad", inputs, attributes, run, "move")


@row("DepthToSpace")
def depth_to_space(g):
    b = g.choice([1, 2, 3])
    n, c, h, w = (g.choice([1, 2]) for _ in range(4))
    x, attributes = g.like((n, c * b * b, h, w)), {"blocksize": b}
    mode = g.maybe(attributes, "mode", g.choice(["DCR", "CRD"]), "DCR") if g.opset >= 11 else "DCR"
    parts, order = ((n, b, b, c, h, w), (0, 3, 4, 1, 5, 2)) if mode == "DCR" else ((n, c, b, b, h, w), (0, 1, 4, 2, 5, 3))
    run = lambda x: x.reshape(parts).transpose(order).reshape(n, c, h * b, w * b)
    return Node("DepthToSpace", [x], attributes, run, "move")


@row("SpaceToDepth")
def space_to_depth(g):
    b = g.choice([1, 2, 3])
    n, c, h, w = (g.choice([1, 2]) for _ in range(4))
    x = g.like((n, c, h * b, w * b))
    run = lambda x: x.reshape(n, c, h, b, w, b).transpose(0, 3, 5, 1, 2, 4).reshape(n, b * b * c, h, w)
    return Node("SpaceToDepth", [x], {"blocksize": b}, run, "move")


@row("Trilu", 14)
def trilu(g):
    x, attributes = g.pick(["float", "int64", "bool"], least=2), {}
    upper, k = g.maybe(attributes, "upper", g.choice([0, 1]), 1), g.choice([None, -2, -1, 0, 1, 2])
    run = lambda x, *_: (np.triu if upper else np.tril)(x, k or 0)
    return Node("Trilu", [x] if k is None else [x, g.given(k)], attributes, run, "move")


@row("CenterCropPad", 18)
def center_crop_pad(g):
    x, attributes = g.pick(["float", "int64"], least=1, most=4), {}
    axes = g.random.sample(range(x.rank), g.random.randint(1, x.rank))
    if axes != list(range(x.rank)) or g.chance(0.5):
        attributes["axes"] = [a - x.rank if g.chance(0.3) else a for a in axes]
    sizes = [g.random.randint(1, x.shape[a] + 3) for a in axes]

    def run(x, _):
        for a, size in zip(axes, sizes):
            n = x.shape[a]
            if size <= n:
                x = np.take(x, range((n - size) // 2, (n - size) // 2 + size), a)
            else:
                width = [(0, 0)] * x.ndim
                width[a] = ((size - n) // 2, size - n - (size - n) // 2)
                x = np.pad(x, width)
        return x
    return Node("CenterCropPad", [x, g.given(sizes)], attributes, run, "move")


@row("Shape")
def shape_(g):
    x, attributes = g.pick(ANY), {}
    start = end = None
    if g.opset >= 15 and g.chance(0.5):
        start, end = (g.choice([None, g.random.randint(-x.rank - 1, x.rank + 1)]) for _ in range(2))
        attributes = {k: v for k, v in (("start", start), ("end", end)) if v is not None}

    def run(x):
        return np.array(x.shape[start:end], np.int64)
    if run(x.array).size == 0 and not g.empty:
        raise Skip
    return Node("Shape", [x], attributes, run, "exact", ["int64"])


@row("Size")
def size(g):
    return Node("Size", [g.pick(ANY)], {}, lambda x: np.array(x.size, np.int64), "exact", ["int64"])


@row("Reshape to a computed shape")
def computed_shape(g):
    """Shape, Gather, Unsqueeze, Concat, Reshape, as exporters write view(x.size(0), -1)."""
    x = g.pick(["float", "float", "int64"], least=1, most=4, fits=lambda v: v.array.size)
    shape, axis = Node("Shape", [x], {}, lambda x: np.array(x.shape, np.int64), "exact", ["int64"]), g.random.randrange(x.rank)
    steps = [shape]
    g.compute(shape)
    one = Node("Gather", [shape.outputs[0], g.given(axis)], {"axis": 0}, lambda x, i: x[i], "exact")
    g.compute(one)
    up = axes_node(g, "Unsqueeze", one.outputs[0], [0], 13, lambda x, *_: x.reshape(1))
    g.compute(up)
    both = Node("Concat", [up.outputs[0], g.given([-1])], {"axis": 0}, lambda *all_: np.concatenate(all_), "exact")
    g.compute(both)
    g.nodes += [shape, one, up, both]
    return Node("Reshape", [x, both.outputs[0]], {}, lambda x, s: x.reshape(s), "move")
