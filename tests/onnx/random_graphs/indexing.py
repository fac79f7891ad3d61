"""Ops that pick and write elements."""
import numpy as np

from graph import ANY, Node, Skip, row


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
        rest = np.shape(x[(0,) * (batch + i.shape[-1])])
        return np.array(y.tolist() if y.shape else y.item(), x.dtype).reshape(y.shape + rest)
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
