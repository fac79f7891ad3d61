"""The workloads in PyTorch."""

import torch
from torch import nn

import measure


def network_of(workload):
    layers, channels = [], 1
    for filters, kernel, padding, pool in measure.CONVOLUTIONS.get(workload, []):
        layers += [nn.Conv2d(channels, filters, kernel, padding=padding), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if pool else []
        channels = filters
    layers += [nn.Flatten()] if layers else []
    sizes = measure.DENSE[workload]
    for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        layers += [nn.ReLU()] if i > 0 else []
        layers += [nn.Linear(inputs, outputs)]
    return nn.Sequential(*layers)


def samples(chosen, part):
    x, y = (torch.from_numpy(array) for array in measure.load(part))
    return (x.reshape(-1, 1, 28, 28) if chosen.workload in measure.CONVOLUTIONS else x), y


def epoch(model, optimizer, x, y, batch):
    rows_of_batches = [slice(None)] if batch >= len(x) else torch.randperm(len(x)).split(batch)
    for rows in rows_of_batches:
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def main():
    chosen = measure.options()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(chosen.seed)
    model = network_of(chosen.workload)
    test_x, test_y = samples(chosen, "test")
    if chosen.workload.startswith("W6"):
        with torch.inference_mode():
            measure.predictions("pytorch", chosen, model, test_x)
        return
    x, y = samples(chosen, "train")
    optimizer = torch.optim.SGD(model.parameters(), lr=chosen.learning_rate)
    times = [measure.seconds(epoch, model, optimizer, x, y, chosen.batch) for _ in range(chosen.epochs)]
    with torch.inference_mode():
        right = sum(int((model(a).argmax(1) == b).sum()) for a, b in zip(test_x.split(1000), test_y.split(1000)))
    measure.show("pytorch", chosen, samples=len(x), epochs=times, accuracy=right / len(test_x))


main()
