"""LSTM, GRU and RNN step by step."""
import numpy as np

from elementwise import sigmoid
from graph import Node, row

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def lstm(w, r, bw, br, p, x, h, c):
    i, o, f, z = np.split(x @ w.T + h @ r.T + bw + br, 4, 1)
    pi, po, pf = np.split(p, 3) if p is not None else (0, 0, 0)
    c_new = sigmoid(f + pf * c) * c + sigmoid(i + pi * c) * np.tanh(z)
    return sigmoid(o + po * c_new) * np.tanh(c_new), c_new


def gru(linear_before_reset):
    def step(w, r, bw, br, _, x, h, c):
        n = h.shape[1]
        xz, xr, xh = np.split(x @ w.T + bw, 3, 1)
        z = sigmoid(xz + h @ r[:n].T + br[:n])
        s = sigmoid(xr + h @ r[n:2 * n].T + br[n:2 * n])
        if linear_before_reset:
            candidate = np.tanh(xh + s * (h @ r[2 * n:].T + br[2 * n:]))
        else:
            candidate = np.tanh(xh + (s * h) @ r[2 * n:].T + br[2 * n:])
        return (1 - z) * candidate + z * h, c
    return step


def rnn(w, r, bw, br, _, x, h, c):
    return np.tanh(x @ w.T + h @ r.T + bw + br), c


def one_way(step, x, lengths, weights, h, c, backwards):
    """x: (steps, batch, inputs). Returns all states, zero after the end of a sequence, and the last ones."""
    y = np.zeros((x.shape[0],) + h.shape, x.dtype)
    h, c = h.copy(), c.copy()
    for b in range(x.shape[1]):
        times = range(lengths[b])
        for t in reversed(times) if backwards else times:
            h[b:b + 1], c[b:b + 1] = step(*weights, x[t, b:b + 1], h[b:b + 1], c[b:b + 1])
            y[t, b] = h[b]
    return y, h, c


def recurrent(op):
    @row(op)
    def make(g):
        attributes, gates = {}, GATES[op]
        x = g.pick(least=3, most=3, fits=lambda v: v.array.size)
        layout = g.maybe(attributes, "layout", g.choice([0, 0, 1]), 0) if g.opset >= 14 else 0
        steps, batch = (x.shape[1], x.shape[0]) if layout else x.shape[:2]
        hidden, ways = g.random.randint(1, 3), g.choice(["forward", "reverse", "bidirectional"])
        attributes["hidden_size"] = hidden
        d = 2 if g.maybe(attributes, "direction", ways, "forward") == "bidirectional" else 1
        state = (batch, d, hidden) if layout else (d, batch, hidden)
        linear = g.maybe(attributes, "linear_before_reset", g.choice([0, 1]), 0) if op == "GRU" else 0
        optional = lambda p, make_: make_() if g.chance(p) else None
        inputs = [x, g.weights((d, gates * hidden, x.shape[2])), g.weights((d, gates * hidden, hidden)),
                  optional(0.6, lambda: g.weights((d, 2 * gates * hidden))),
                  optional(0.4, lambda: g.leaf(g.array((batch,), "int32", 1, steps))),
                  optional(0.4, lambda: g.weights(state))]
        if op == "LSTM":
            inputs += [optional(0.4, lambda: g.weights(state)), optional(0.3, lambda: g.weights((d, 3 * hidden)))]
        while inputs[-1] is None:
            inputs.pop()
        step = {"LSTM": lstm, "GRU": gru(linear), "RNN": rnn}[op]

        def run(x, w, r, b=None, lengths=None, h=None, c=None, p=None):
            x = x.swapaxes(0, 1) if layout else x
            zero = np.zeros((d, batch, hidden), x.dtype)
            h, c = (zero if v is None else v.swapaxes(0, 1) if layout else v for v in (h, c))
            b = np.zeros((d, 2 * gates * hidden), x.dtype) if b is None else b
            lengths = [steps] * batch if lengths is None else lengths
            results = [one_way(step, x, lengths, (w[i], r[i], *np.split(b[i], 2), None if p is None else p[i]), h[i], c[i],
                               ways == "reverse" or i == 1) for i in range(d)]
            y, last, cells = np.stack([a for a, _, _ in results], 1), *(np.stack([v[k] for v in results]) for k in (1, 2))
            if layout:
                y, last, cells = y.transpose(2, 0, 1, 3), last.swapaxes(0, 1), cells.swapaxes(0, 1)
            return (y, last, cells)[:count]
        count = g.random.randint(1, 3 if op == "LSTM" else 2)

        def torch(t, f, x, w, r, b=None, lengths=None, h=None, c=None, p=None):
            order = {"LSTM": [0, 2, 3, 1], "GRU": [1, 0, 2], "RNN": [0]}[op]
            net = getattr(t.nn, op)(x.shape[2], hidden, bidirectional=d == 2, batch_first=bool(layout)).double()
            gate = lambda v: t.cat([v.split(hidden)[k] for k in order])
            for i, end in enumerate(["l0", "l0_reverse"][:d]):
                bias = t.zeros(2 * gates * hidden).double() if b is None else b[i]
                parts = (w[i], r[i], bias[:gates * hidden], bias[gates * hidden:])
                for name, part in zip(("weight_ih_", "weight_hh_", "bias_ih_", "bias_hh_"), parts):
                    getattr(net, name + end).data = gate(part)
            zero = t.zeros(d, batch, hidden).double()
            h, c = (zero if v is None else v.transpose(0, 1).contiguous() if layout else v for v in (h, c))
            y = net(x, (h, c) if op == "LSTM" else h)[0]
            y = y.reshape(y.shape[0], y.shape[1], d, hidden)
            return y if layout else y.transpose(1, 2)
        if ways != "reverse" and all(v is None for v in inputs[4:5] + inputs[7:8]) and (op != "GRU" or linear):
            g.agree(g, inputs, run, torch)
        return Node(op, inputs, attributes, run, "smooth", ["float"] * count)


for name_ in GATES:
    recurrent(name_)
