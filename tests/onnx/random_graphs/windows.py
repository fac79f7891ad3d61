"""Convolutions, pools and changes of size, by loops over the positions of the window."""
import math
from fractions import Fraction

import numpy as np

from graph import Node, Skip, row


def window(g, lengths, dilated=True, automatic=True):
    """Attributes of a window over axes with these lengths: (attributes, taps, strides, dilations, begins, ends)."""
    n, attributes = len(lengths), {}
    taps = [g.random.randint(1, 3) for _ in lengths]
    strides = [g.choice([1, 1, 2, 3]) for _ in lengths]
    dilations = [g.choice([1, 1, 2]) if dilated else 1 for _ in lengths]
    reach = [(k - 1) * d + 1 for k, d in zip(taps, dilations)]
    begins, ends = [0] * n, [0] * n
    how = g.choice(["NOTSET", "NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"] if automatic else ["NOTSET"])
    if how == "NOTSET":
        begins, ends = ([g.random.randint(0, k - 1) for k in taps] for _ in range(2))
        g.maybe(attributes, "pads", begins + ends, [0] * 2 * n)
    elif how != "VALID":
        for i, length in enumerate(lengths):
            total = max(0, (math.ceil(length / strides[i]) - 1) * strides[i] + reach[i] - length)
            begins[i] = total // 2 if how == "SAME_UPPER" else total - total // 2
            ends[i] = total - begins[i]
    g.maybe(attributes, "auto_pad", how, "NOTSET")
    g.maybe(attributes, "strides", strides, [1] * n)
    if dilated:
        g.maybe(attributes, "dilations", dilations, [1] * n)
    if any(length + b + e < r for length, b, e, r in zip(lengths, begins, ends, reach)):
        raise Skip
    return attributes, taps, strides, dilations, begins, ends


def images(g):
    axes = g.choice([1, 2, 2, 2])
    shape = [g.choice([1, 2]), g.random.randint(1, 4)] + [g.random.randint(1, 7) for _ in range(axes)]
    if g.chance(0.1):
        shape[-1] = g.choice([9, 10, 12])
    found = None if g.chance(0.4) else g.find(lambda v: v.rank == axes + 2 and 0 not in v.shape, ["float"])
    return found or g.leaf(g.array(shape))


def places(taps, strides, dilations, counts):
    """For each tap, its index and the positions in the input that it has for all positions of the output."""
    for tap in np.ndindex(*taps):
        yield tap, tuple(slice(t * d, t * d + (c - 1) * s + 1, s) for t, d, s, c in zip(tap, dilations, strides, counts))


def convolve(x, w, strides, dilations, begins, ends, groups):
    x = np.pad(x, [(0, 0), (0, 0)] + list(zip(begins, ends)))
    taps = w.shape[2:]
    counts = [(n - (k - 1) * d - 1) // s + 1 for n, k, d, s in zip(x.shape[2:], taps, dilations, strides)]
    outs = w.shape[0] // groups
    y = np.zeros([x.shape[0], w.shape[0]] + counts, x.dtype)
    for tap, at in places(taps, strides, dilations, counts):
        for k in range(groups):
            part = x[(slice(None), slice(k * w.shape[1], (k + 1) * w.shape[1])) + at]
            weight = w[(slice(k * outs, (k + 1) * outs), slice(None)) + tap]
            y[:, k * outs:(k + 1) * outs] += np.einsum("nc...,mc->nm...", part, weight)
    return y


def channel(b, x):
    return b.reshape([-1] + [1] * (x.ndim - 2))


@row("Conv")
def conv(g):
    x = images(g)
    groups = g.choice([d for d in range(1, x.shape[1] + 1) if x.shape[1] % d == 0])
    attributes, taps, strides, dilations, begins, ends = window(g, x.shape[2:])
    g.maybe(attributes, "group", groups, 1)
    g.maybe(attributes, "kernel_shape", taps, taps)
    w = g.weights([groups * g.random.randint(1, 3), x.shape[1] // groups] + taps, 0.5)
    inputs = [x, w] + ([g.weights([w.shape[0]])] if g.chance(0.6) else [])

    def run(x, w, b=None):
        y = convolve(x, w, strides, dilations, begins, ends, groups)
        return y if b is None else y + channel(b, y)

    def torch(t, f, x, w, b=None):
        padded = f.pad(x, [n for pair in zip(reversed(begins), reversed(ends)) for n in pair])
        return [None, f.conv1d, f.conv2d][len(taps)](padded, w, b, strides, 0, dilations, groups)
    g.agree(g, inputs, run, torch)
    return Node("Conv", inputs, attributes, run)


@row("ConvTranspose")
def conv_transpose(g):
    x, attributes = images(g), {}
    axes, groups = x.rank - 2, g.choice([d for d in range(1, x.shape[1] + 1) if x.shape[1] % d == 0])
    taps, strides, dilations = ([g.choice(c) for _ in range(axes)] for c in ([1, 2, 3], [1, 2, 3], [1, 1, 2]))
    extra = [g.random.randint(0, max(s, d) - 1) for s, d in zip(strides, dilations)] if g.chance(0.4) else [0] * axes
    for name, value, default in (("strides", strides, 1), ("dilations", dilations, 1), ("output_padding", extra, 0)):
        g.maybe(attributes, name, value, [default] * axes)
    full = [(n - 1) * s + (k - 1) * d + 1 + e for n, s, k, d, e in zip(x.shape[2:], strides, taps, dilations, extra)]
    begins, ends = ([g.random.randint(0, 1) for _ in range(axes)] for _ in range(2))
    lengths = [f - b - e for f, b, e in zip(full, begins, ends)]
    if min(lengths) < 1:
        raise Skip
    if any(begins + ends) or g.chance(0.5):
        attributes["pads"] = begins + ends
    g.maybe(attributes, "group", groups, 1)
    g.maybe(attributes, "kernel_shape", taps, taps)
    w = g.weights([x.shape[1], g.random.randint(1, 3)] + taps, 0.5)
    inputs = [x, w] + ([g.weights([w.shape[1] * groups])] if g.chance(0.6) else [])

    def run(x, w, b=None):
        ins, outs = x.shape[1] // groups, w.shape[1]
        y = np.zeros([x.shape[0], outs * groups] + full, x.dtype)
        for tap, at in places(taps, strides, dilations, x.shape[2:]):
            for k in range(groups):
                y[(slice(None), slice(k * outs, (k + 1) * outs)) + at] += np.einsum(
                    "nc...,cm->nm...", x[:, k * ins:(k + 1) * ins], w[(slice(k * ins, (k + 1) * ins), slice(None)) + tap])
        y = y[(slice(None), slice(None)) + tuple(slice(b, b + n) for b, n in zip(begins, lengths))]
        return y if b is None else y + channel(b, y)

    def torch(t, f, x, w, b=None):
        return [None, f.conv_transpose1d, f.conv_transpose2d][axes](x, w, b, strides, begins, extra, groups, dilations)
    if begins == ends:
        g.agree(g, inputs, run, torch)
    return Node("ConvTranspose", inputs, attributes, run)


def pool(name):
    @row(name)
    def make(g):
        x = images(g)
        maximum, average = name == "MaxPool", name == "AveragePool"
        dilated = g.opset >= {"MaxPool": 10, "AveragePool": 19, "LpPool": 18}[name]
        attributes, taps, strides, dilations, begins, ends = window(g, x.shape[2:], dilated)
        attributes["kernel_shape"] = taps
        padded = [n + b + e for n, b, e in zip(x.shape[2:], begins, ends)]
        reach = [(k - 1) * d + 1 for k, d in zip(taps, dilations)]
        counts = [(n - r) // s + 1 for n, r, s in zip(padded, reach, strides)]
        ceil = 0
        if g.opset >= (18 if name == "LpPool" else 10) and attributes.get("auto_pad", "NOTSET") == "NOTSET":
            ceil = g.maybe(attributes, "ceil_mode", g.choice([0, 0, 1]), 0)
        if ceil:  # no window begins in the padding at the end
            counts = [c + ((c - 1) * s + r < n and c * s < m + b)
                      for c, s, r, n, m, b in zip(counts, strides, reach, padded, x.shape[2:], begins)]
        include = g.maybe(attributes, "count_include_pad", g.choice([0, 1]), 0) if average else 0
        p = g.maybe(attributes, "p", g.choice([1, 2, 3]), 2) if name == "LpPool" else 0
        indices = maximum and g.opset >= 8 and g.chance(0.3)

        def run(x):
            shape = x.shape[:2] + tuple(counts)
            more = [max(0, (c - 1) * s + r - n) for c, s, r, n in zip(counts, strides, reach, padded)]
            widths = [(0, 0), (0, 0)] + [(b, e + m) for b, e, m in zip(begins, ends, more)]
            source = np.pad(x, widths, constant_values=-np.inf if maximum else 0)
            number = np.pad(np.ones(x.shape[2:], x.dtype), widths[2:])
            if include:  # what ceil_mode adds does not count
                number = np.pad(np.ones(padded, x.dtype), [(0, m) for m in more])
            where = np.pad(np.arange(int(np.prod(x.shape))).reshape(x.shape), widths, constant_values=-1)
            y = np.full(shape, -np.inf if maximum else 0, x.dtype)
            of, count = np.zeros(shape, np.int64), np.zeros(counts, x.dtype)
            for _, at in places(taps, strides, dilations, counts):
                here, pick = source[(slice(None), slice(None)) + at], where[(slice(None), slice(None)) + at]
                if maximum:
                    of = np.where(here > y, pick, of)
                    y = np.maximum(y, here)
                else:
                    y = y + (np.abs(here)**p if p else here)
                count = count + number[at]
            if maximum:
                return (y, of) if indices else y
            return y**(1 / p) if p else y / count
        kind = "exact" if maximum else "smooth"
        symmetric = begins == ends and all(2 * b <= k for b, k in zip(begins, taps))
        if not p and not indices and symmetric and (maximum or max(dilations) == 1):
            def torch(t, f, x):
                if maximum:
                    return [None, f.max_pool1d, f.max_pool2d][len(taps)](x, taps, strides, begins, dilations, bool(ceil))
                return [None, f.avg_pool1d, f.avg_pool2d][len(taps)](x, taps, strides, begins, bool(ceil), bool(include))
            g.agree(g, [x], run, torch)
        return Node(name, [x], attributes, run, kind, ["float", "int64"] if indices else None)


for name_ in ("MaxPool", "AveragePool", "LpPool"):
    pool(name_)


def whole_image(name, formula):
    @row(name)
    def make(g):
        return Node(name, [images(g)], {}, lambda x: formula(x, tuple(range(2, x.ndim))))


whole_image("GlobalAveragePool", lambda x, a: x.mean(a, keepdims=True))
whole_image("GlobalMaxPool", lambda x, a: x.max(a, keepdims=True))


HALF = Fraction(1, 2)


def position(i, n, count, scale, how):
    """The position in the input as an exact fraction."""
    if how == "asymmetric":
        return i / scale
    if how == "align_corners":
        return Fraction(0) if count == 1 else i * (n - 1) / (scale * n - 1)  # not rounded, as in ONNX's test data
    if how == "pytorch_half_pixel" and count == 1:
        return -HALF
    if how == "half_pixel_symmetric":
        return n * HALF * (1 - count / (scale * n)) + (i + HALF) / scale - HALF
    return (i + HALF) / scale - HALF


SCALES = [Fraction(text) for text in "1 2 3 1/2 3/2 5/4 1/3 2/3 7/10 3/5 6/5 13/10".split()]
ROUND = {"floor": math.floor, "ceil": math.ceil, "round_prefer_floor": lambda x: math.ceil(x - HALF),
         "round_prefer_ceil": lambda x: math.floor(x + HALF)}


def cubic(d, a):
    d = abs(d)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0


def matrix(n, count, scale, how, mode, nearest, a, exclude):
    """The weights (count, n) of one axis."""
    m = np.zeros((count, n))
    for i in range(count):
        x = position(i, n, count, Fraction(scale), how)
        if mode == "nearest":
            m[i, min(max(ROUND[nearest](x), 0), n - 1)] = 1
            continue
        low = math.floor(x)
        taps = [(low + k, 1 - abs(x - low - k) if mode == "linear" else cubic(x - low - k, a))
                for k in ((0, 1) if mode == "linear" else (-1, 0, 1, 2))]
        if exclude:
            taps = [(p, w) for p, w in taps if 0 <= p < n]
            total = sum(w for _, w in taps)
            taps = [(p, w / total) for p, w in taps]
        for p, w in taps:
            m[i, min(max(p, 0), n - 1)] += w
    return m


@row("Resize", 10)
def resize(g):
    x, attributes = images(g), {}
    modes = ["nearest", "linear"] + ["cubic"] * (g.opset >= 11 and x.rank == 4)
    mode = g.maybe(attributes, "mode", g.choice(modes), "nearest")
    how, nearest, a, exclude = ("asymmetric", "floor", -0.75, 0)
    if g.opset >= 11:
        known = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]
        how = g.choice(known if g.opset >= 19 else known[:-1])
        g.maybe(attributes, "coordinate_transformation_mode", how, "half_pixel")
        nearest = g.choice(ROUND)
        if mode == "nearest":
            g.maybe(attributes, "nearest_mode", nearest, "round_prefer_floor")
        if mode == "cubic":
            a = float(np.float32(g.maybe(attributes, "cubic_coeff_a", g.choice([-0.75, -0.5]), -0.75)))
            exclude = g.maybe(attributes, "exclude_outside", g.choice([0, 1]), 0)
    some = g.opset >= 18 and g.chance(0.4)
    axes = list(range(2, x.rank)) if some else list(range(x.rank))
    if some:
        attributes["axes"] = [i - x.rank if g.chance(0.3) else i for i in axes]
    scales = [g.choice(SCALES) if i > 1 else 1 for i in axes]
    sizes = [math.floor(np.float32(x.shape[i]) * np.float32(float(s))) for i, s in zip(axes, scales)]
    if min(sizes) < 1:
        raise Skip
    none = None
    if g.opset == 10:
        inputs = [x, g.given([float(s) for s in scales], "float")]
    elif g.chance(0.5):
        inputs = [x, g.given(np.zeros(0), "float") if g.opset < 13 else none, g.given([float(s) for s in scales], "float")]
    else:
        sizes = [max(1, n + g.random.randint(-1, 2)) if i > 1 else n for i, n in zip(axes, sizes)]
        scales = [Fraction(n, x.shape[i]) for i, n in zip(axes, sizes)]
        roi, empty = (g.given(np.zeros(0), "float") for _ in range(2)) if g.opset < 13 else (none, none)
        inputs = [x, roi, empty, g.given(sizes)]

    def run(x, *_):
        for i, count, scale in zip(axes, sizes, scales):
            if count != x.shape[i] or scale != 1:
                m = matrix(x.shape[i], count, scale, how, mode, nearest, a, exclude)
                x = np.moveaxis(np.tensordot(m.astype(x.dtype), x, (1, i)), 0, i)
        return x
    return Node("Resize", inputs, attributes, run, "move" if mode == "nearest" else "smooth")


@row("Upsample", 7, 10)
def upsample(g):
    x, attributes = images(g), {}
    mode = g.maybe(attributes, "mode", g.choice(["nearest", "linear"]), "nearest")
    scales = [float(g.choice([1, 2, 3])) if i > 1 else 1.0 for i in range(x.rank)]

    def run(x, *_):
        for i, scale in enumerate(scales):
            m = matrix(x.shape[i], int(x.shape[i] * scale), scale, "asymmetric", mode, "floor", 0, 0)
            x = np.moveaxis(np.tensordot(m.astype(x.dtype), x, (1, i)), 0, i)
        return x
    if g.opset < 9:
        attributes["scales"] = scales
        return Node("Upsample", [x], attributes, run)
    return Node("Upsample", [x, g.given(scales, "float")], attributes, run)
