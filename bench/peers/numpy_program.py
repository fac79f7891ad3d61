"""The workloads without convolutions, handwritten in NumPy with preallocated arrays."""

import numpy as np

import measure


class Network:
    def __init__(self, sizes, batch, rng):
        limits = [np.sqrt(6 / (i + o)) for i, o in zip(sizes, sizes[1:])]
        self.w = [rng.uniform(-a, a, (i, o)).astype(np.float32) for a, i, o in zip(limits, sizes, sizes[1:])]
        self.b = [np.zeros(o, np.float32) for o in sizes[1:]]
        self.dw = [np.empty_like(w) for w in self.w]
        self.y = [np.empty((batch, o), np.float32) for o in sizes[1:]]
        self.dy = [np.empty((batch, o), np.float32) for o in sizes[1:]]

    def forward(self, x):
        for i, (w, b) in enumerate(zip(self.w, self.b)):
            y = self.y[i][:len(x)]
            np.matmul(x, w, out=y)
            y += b
            if i + 1 < len(self.w):
                np.maximum(y, 0, out=y)
            x = y
        return x

    def step(self, x, labels, learning_rate):
        z = self.forward(x)
        rows = len(x)
        dy = self.dy[-1][:rows]
        np.subtract(z, z.max(axis=1, keepdims=True), out=dy)
        np.exp(dy, out=dy)
        dy /= dy.sum(axis=1, keepdims=True)
        dy[np.arange(rows), labels] -= 1
        dy *= np.float32(1 / rows)
        for i in reversed(range(len(self.w))):
            below = self.y[i - 1][:rows] if i > 0 else x
            np.matmul(below.T, dy, out=self.dw[i])
            db = dy.sum(axis=0)
            if i > 0:
                dx = self.dy[i - 1][:rows]
                np.matmul(dy, self.w[i].T, out=dx)
                dx *= below > 0
                dy = dx
            self.dw[i] *= learning_rate
            self.w[i] -= self.dw[i]
            self.b[i] -= learning_rate * db


def epoch(network, x, y, chosen, learning_rate, rng):
    if chosen.batch >= len(x):
        network.step(x, y, learning_rate)
        return
    order = rng.permutation(len(x))
    for first in range(0, len(x), chosen.batch):
        rows = order[first:first + chosen.batch]
        network.step(x[rows], y[rows], learning_rate)


def main():
    chosen = measure.options()
    rng = np.random.default_rng(chosen.seed)
    test_x, test_y = measure.load("test")
    if chosen.workload.startswith("W6"):
        network = Network(measure.DENSE[chosen.workload], 1000, rng)
        measure.predictions("numpy", chosen, network.forward, test_x)
        return
    x, y = measure.load("train")
    network = Network(measure.DENSE[chosen.workload], chosen.batch, rng)
    learning_rate = np.float32(chosen.learning_rate)
    times = [measure.seconds(epoch, network, x, y, chosen, learning_rate, rng) for _ in range(chosen.epochs)]
    right = sum(int((network.forward(test_x[i:i + chosen.batch]).argmax(axis=1) == test_y[i:i + chosen.batch]).sum())
                for i in range(0, len(test_x), chosen.batch))
    measure.show("numpy", chosen, samples=len(x), epochs=times, accuracy=right / len(test_x))


main()
