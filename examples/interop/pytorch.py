"""Exchanges weights between PyTorch and Cornu: `python3 pytorch.py FOLDER [PROGRAM]`, where PROGRAM is pytorch.cpp.

Writes weights and sample outputs of each network. PROGRAM loads the weights, compares the outputs, trains its own networks
and writes their weights, which this script loads and compares in turn. Without PROGRAM, it only writes:
tests/models/fixtures/pytorch was generated that way.
"""

import pathlib
import subprocess
import sys

import torch
from torch import nn

import safetensors_file

SAMPLES = 4
LIMIT = 1e-5  # largest allowed difference between outputs


class Named(nn.Module):
    """Named modules in sequence."""

    def __init__(self, **modules):
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x):
        for module in self.children():
            x = module(x)
            if isinstance(x, tuple):  # an LSTM or GRU returns all states and the last
                x = x[0]
        return x


class Last(nn.Module):
    def forward(self, x):
        return x[:, -1]


class ChannelsFirst(nn.Module):
    def forward(self, x):
        return x.transpose(1, 2)


class Attention(nn.Module):
    def __init__(self, features, heads):
        super().__init__()
        self.attention = nn.MultiheadAttention(features, heads, batch_first=True)

    def forward(self, x):
        return x + self.attention(x, x, x)[0]


# Networks with their sample shapes in PyTorch. networks.h defines the same.
NETWORKS = {
    "mlp": (nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3), nn.Softmax(-1)), (6,)),
    "cnn": (
        Named(
            features=nn.Sequential(
                nn.Conv2d(3, 8, 3, padding="same"), nn.BatchNorm2d(8, eps=1e-3), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(8, 4, 3), nn.ReLU()),
            classifier=nn.Sequential(
                nn.Flatten(), nn.Dropout(0.5), nn.BatchNorm1d(48), nn.Linear(48, 16), nn.ReLU(), nn.Linear(16, 5))),
        (3, 10, 12)),
    "depthwise": (
        nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, groups=4), nn.ReLU(), nn.Conv2d(8, 6, 1, bias=False),
                      nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(6), nn.Linear(6, 2)),
        (4, 9, 7)),
    "generator": (
        nn.Sequential(nn.Linear(5, 24), nn.BatchNorm1d(24, eps=1e-3), nn.Tanh(), nn.Unflatten(1, (4, 2, 3)),
                      nn.Conv2d(4, 3, 3, padding="same"), nn.Sigmoid()),
        (5,)),
    "conv1d": (
        nn.Sequential(nn.Conv1d(3, 6, 3), nn.ReLU(), nn.BatchNorm1d(6, eps=1e-3), nn.Conv1d(6, 4, 2, stride=2),
                      nn.Flatten(), nn.Linear(16, 2)),
        (3, 11)),
    "lstm": (Named(embedding=nn.Embedding(10, 4), rnn=nn.LSTM(4, 6, num_layers=2, batch_first=True), last=Last(),
                   head=nn.Linear(6, 3)), (7,)),
    "gru": (Named(input=nn.Linear(3, 5), rnn=nn.GRU(5, 4, batch_first=True), flatten=nn.Flatten(),
                  output=nn.Linear(24, 2)), (6, 3)),
    "attention": (Named(block=Attention(8, 2), norm=nn.LayerNorm(8), flatten=nn.Flatten(), head=nn.Linear(40, 3)),
                  (5, 8)),
}


def samples(name, shape):
    if name == "lstm":  # indices of the embedding
        return torch.randint(0, 10, (SAMPLES, *shape))
    return torch.randn(SAMPLES, *shape)


def channels_last(name, x):
    """Cornu's layout of images, and of the sequences of Conv1d."""
    if x.dim() == 4:
        return x.permute(0, 2, 3, 1)
    return x.transpose(1, 2) if name == "conv1d" and x.dim() == 3 else x


def train(network, x):
    """Trains a few steps, so that running statistics and biases differ from their initial values."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    for _ in range(5):
        optimizer.zero_grad()
        network(x).square().mean().backward()
        optimizer.step()
    network.eval()


def arrays(tensors):
    return {name: tensor.detach().contiguous().numpy() for name, tensor in tensors.items()}


def main(folder, program=None):
    torch.manual_seed(1)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    given, seen = {}, {}
    for name, (network, shape) in NETWORKS.items():
        x = given[name] = samples(name, shape)
        train(network, x)
        safetensors_file.write(folder / f"{name}.pytorch.safetensors", arrays(network.state_dict()))
        seen[name + ".x"] = channels_last(name, x).float()
        seen[name + ".y"] = channels_last(name, network(x))
    safetensors_file.write(folder / "samples.safetensors", arrays(seen))
    if program is None:
        return

    subprocess.run([program, folder], check=True)

    outputs = safetensors_file.read(folder / "outputs.safetensors")
    for name, (network, _) in NETWORKS.items():
        weights = safetensors_file.read(folder / f"{name}.cornu.safetensors")
        network.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
        difference = (channels_last(name, network(given[name])) - torch.from_numpy(outputs[name])).abs().max().item()
        print(f"{name} from Cornu to PyTorch: outputs differ by at most {difference:.1e}")
        if not difference <= LIMIT:
            sys.exit(f"that is more than {LIMIT}")


main(*sys.argv[1:])
