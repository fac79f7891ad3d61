"""Ops that move, pick and write elements, and computations on shapes."""
import numpy as np

from graph import CODES, TYPES, Node, Skip, row

ANY = ["float", "float", "float", "int64", "int32", "bool", "double", "uint8", "float16"]


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


@row("Split")
def split(g):
    x, attributes, inputs = g.pick(ANY, least=1), {}, []
    axis = g.axis(x.rank)
    n = x.shape[axis]
    if g.maybe(attributes, "axis", axis, 0) is None or n == 0:
        raise Skip
    parts = g.random.randint(1, min(n, 4))
    if g.opset >= 18 and g.chance(0.5):
        each = -(-n // parts)
        sizes = [each] * (parts - 1) + [n - each * (parts - 1)]
        if sizes[-1] < 0:
            raise Skip
        attributes["num_outputs"] = parts
    elif n % parts == 0 and g.chance(0.3) and g.opset < 18:
        sizes = [n // parts] * parts
    else:
        cuts = sorted(g.random.sample(range(1, n), parts - 1))
        sizes = [b - a for a, b in zip([0] + cuts, cuts + [n])]
        if g.opset < 13:
            attributes["split"] = sizes
        else:
            inputs = [g.given(sizes)]
    run = lambda x, *_: tuple(np.split(x, np.cumsum(sizes)[:-1], axis))
    return Node("Split", [x] + inputs, attributes, run, "move", [x.type] * parts)


@row("Slice")
def slice_(g):
    x = g.pick(ANY, least=1)
    axes = g.random.sample(range(x.rank), g.random.randint(1, x.rank))
    starts, ends, steps, index = [], [], [], [slice(None)] * x.rank
    for a in axes:
        step = g.choice([1, 1, 2, -1, -2]) if g.opset >= 10 else 1
        n = x.shape[a]
        start, end = g.random.randint(-n - 1, n + 1), g.random.randint(-n - 1, n + 1)
        if g.chance(0.3):
            end = 2**31 - 1 if step > 0 else -2**31 + 1
        if g.chance(0.3):
            start = 0 if step > 0 else 2**31 - 1
        starts.append(start), ends.append(end), steps.append(step)
        index[a] = slice(start, end, step)
    given = [a - x.rank if g.opset >= 10 and g.chance(0.3) else a for a in axes]
    run = lambda x, *_: x[tuple(index)]
    if g.opset < 10:
        return Node("Slice", [x], {"starts": starts, "ends": ends, "axes": given}, run, "move")
    type_ = g.choice(["int64", "int32"])
    inputs = [g.given(v, type_) for v in (starts, ends, given)]
    if any(s != 1 for s in steps) or g.chance(0.5):
        inputs.append(g.given(steps, type_))
    return Node("Slice", [x] + inputs, {}, run, "move")


def indices(g, n, shape, type_=None):
    """Positions below n, from the end as well since opset 11."""
    if n == 0:
        raise Skip
    low = -n if g.opset >= 11 else 0
    type_ = type_ or g.choice(["int64", "int32"])
    value = g.find(lambda v: v.rank == len(shape) and v.shape == tuple(shape) and v.array.size and
                   low <= v.array.min() and v.array.max() < n, [type_]) if g.chance(0.5) else None
    return value or g.leaf(g.array(shape, type_, low, n - 1), type_)


@row("Gather")
def gather(g):
    x, attributes = g.pick(ANY, least=1, most=4), {}
    axis = g.maybe(attributes, "axis", g.axis(x.rank), 0)
    at = indices(g, x.shape[axis], g.shape(0, 2))
    return Node("Gather", [x, at], attributes, lambda x, i: np.take(x, i, axis), "move")


@row("GatherElements", 11)
def gather_elements(g):
    x, attributes = g.pick(ANY, least=1, most=4), {}
    axis = g.maybe(attributes, "axis", g.axis(x.rank), 0)
    shape = [g.random.randint(min(n, 1), n) for n in x.shape]
    shape[axis] = g.length()
    at = indices(g, x.shape[axis], shape)

    def run(x, i):
        y = np.zeros(i.shape, x.dtype)
        for place in np.ndindex(*i.shape):
            source = list(place)
            source[axis] = i[place]
            y[place] = x[tuple(source)]
        return y
    return Node("GatherElements", [x, at], attributes, run, "move")


def lists_of_places(g, x, batch, count):
    """Indices of shape (batch axes, some axes, count) into the axes of x after the batch."""
    shape = list(x.shape[:batch]) + list(g.shape(0, 2)) + [count]
    limits = x.shape[batch:batch + count]
    if 0 in limits or 0 in shape:
        raise Skip
    return np.stack([g.array(shape[:-1], "int64", -n if g.chance(0.5) else 0, n - 1) for n in limits], -1)


@row("GatherND", 11)
def gather_nd(g):
    x, attributes = g.pick(ANY, least=1, most=4), {}
    batch = g.random.randint(0, x.rank - 1) if g.opset >= 12 else 0
    g.maybe(attributes, "batch_dims", batch, 0) if g.opset >= 12 else None
    at = g.leaf(lists_of_places(g, x, batch, g.random.randint(1, x.rank - batch)))

    def run(x, i):
        y = np.empty(i.shape[:-1], object)
        for place in np.ndindex(*i.shape[:-1]):
            y[place] = x[place[:batch]][tuple(i[place])]
        return np.array(y.tolist() if y.shape else y.item(), x.dtype).reshape(y.shape + np.shape(x[(0,) * (batch + i.shape[-1])]))
    return Node("GatherND", [x, at], attributes, run, "move")


REDUCE = {"none": lambda a, b: b, "add": lambda a, b: a + b, "mul": lambda a, b: a * b, "max": max, "min": min}


def reduction(g, type_):
    if g.opset < 16 or type_ not in ("float", "int64", "int32"):
        return "none"
    return g.choice(["none", "none", "add", "mul"] + ["max", "min"] * (g.opset >= 18))


def scatter_elements(op):
    def make(g):
        x, attributes = g.pick(ANY, least=1, most=4), {}
        axis = g.maybe(attributes, "axis", g.axis(x.rank), 0)
        shape = [g.random.randint(min(n, 1), n) for n in x.shape]
        how = reduction(g, x.type)
        if how == "none":  # no position twice: which one counts is not defined
            order = np.argsort(g.numbers.rand(*x.shape), axis)[tuple(slice(n) for n in shape)].astype(np.int64)
            at = g.leaf(np.where(g.array(shape, "bool"), order, order - x.shape[axis]) if g.opset >= 11 else order, "int64")
        else:
            at = indices(g, x.shape[axis], shape)
        if op == "ScatterElements" and g.opset >= 16:
            g.maybe(attributes, "reduction", how, "none")
        updates = g.like(shape, x.type)

        def run(x, i, u):
            y = x.copy()
            for place in np.ndindex(*i.shape):
                target = list(place)
                target[axis] = i[place]
                y[tuple(target)] = REDUCE[how](y[tuple(target)], u[place])
            return y
        return Node(op, [x, at, updates], attributes, run, "move" if how == "none" else "smooth")
    return make


row("ScatterElements", 11)(scatter_elements("ScatterElements"))
row("Scatter", 9, 11)(scatter_elements("Scatter"))


@row("ScatterND", 11)
def scatter_nd(g):
    x, attributes = g.pick(ANY, least=1, most=4), {}
    how, count = reduction(g, x.type), g.random.randint(1, x.rank)
    at = lists_of_places(g, x, 0, count)
    if how == "none":
        flat = np.mod(at.reshape(-1, count), x.shape[:count])
        if len(np.unique(flat, axis=0)) < len(flat):
            raise Skip
    if g.opset >= 16:
        g.maybe(attributes, "reduction", how, "none")
    updates = g.like(at.shape[:-1] + x.shape[count:], x.type)

    def run(x, i, u):
        y = x.copy()
        for place in np.ndindex(*i.shape[:-1]):
            for rest in np.ndindex(*x.shape[count:]):
                target = tuple(i[place]) + rest
                y[target] = REDUCE[how](y[target], u[place + rest])
        return y
    return Node("ScatterND", [x, g.leaf(at), updates], attributes, run, "move" if how == "none" else "smooth")


@row("Compress", 9)
def compress(g):
    x, attributes = g.pick(ANY, least=1), {}
    axis = g.axis(x.rank) if g.chance(0.7) else None
    if axis is not None:
        attributes["axis"] = axis
    n = x.array.size if axis is None else x.shape[axis]
    condition = g.leaf(g.array((g.random.randint(min(1, n), n),), "bool"))
    return Node("Compress", [x, condition], attributes, lambda x, c: np.compress(c, x, axis), "move")


@row("Pad")
def pad(g):
    x, attributes = g.pick(["float", "float"] + ["int64", "uint8"] * (g.opset >= 11), least=1), {}
    mode = g.choice(["constant", "constant", "reflect", "edge"] + ["wrap"] * (g.opset >= 19))
    axes = sorted(g.random.sample(range(x.rank), g.random.randint(1, x.rank))) if g.opset >= 18 and g.chance(0.5) else range(x.rank)
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
    return Node("DepthToSpace", [x], attributes, lambda x: x.reshape(parts).transpose(order).reshape(n, c, h * b, w * b), "move")


@row("SpaceToDepth")
def space_to_depth(g):
    b = g.choice([1, 2, 3])
    n, c, h, w = (g.choice([1, 2]) for _ in range(4))
    x = g.like((n, c, h * b, w * b))
    run = lambda x: x.reshape(n, c, h, b, w, b).transpose(0, 3, 5, 1, 2, 4).reshape(n, b * b * c, h, w)
    return Node("SpaceToDepth", [x], {"blocksize": b}, run, "move")


@row("ReverseSequence", 10)
def reverse_sequence(g):
    x, attributes = g.pick(ANY, least=2), {}
    batch = g.choice([0, 1])
    time = 1 - batch
    g.maybe(attributes, "batch_axis", batch, 1), g.maybe(attributes, "time_axis", time, 0)
    if 0 in x.shape:
        raise Skip
    lengths = g.leaf(g.array((x.shape[batch],), "int64", 1, x.shape[time]))

    def run(x, lengths):
        y = x.copy()
        for i, n in enumerate(lengths):
            place = (slice(0, n), i) if time == 0 else (i, slice(0, n))
            y[place] = x[place][::-1]
        return y
    return Node("ReverseSequence", [x, lengths], attributes, run, "move")


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
        first, last = (int(np.clip(v + x.ndim if v < 0 else v, 0, x.ndim)) for v in (start or 0, x.ndim if end is None else end))
        return np.array(x.shape[first:last], np.int64)
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


@row("Identity of a dead value")
def dead(g):
    return Node("Identity", [g.pick(ANY)], {}, lambda x: x, "move")
