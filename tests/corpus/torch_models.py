"""Of PyTorch: quickstart and tutorials, Dive into Deep Learning, torchvision's MLP, tabular networks, SIREN, nanoGPT."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn
from torch.nn import functional

from corpus import Row


def settled(model: nn.Module, features: int) -> nn.Module:
    """With statistics gathered on inputs that are not standard, and scales and shifts that are not 1 and 0."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.LayerNorm)) and module.weight is not None:
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
        model.train()
        for _ in range(4):
            model(torch.randn(32, features) * 2 + 0.5)
    return model.eval()


class Quickstart(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10)
        )

    def forward(self, x):
        x = self.flatten(x)
        return self.linear_relu_stack(x)


class Digits(nn.Module):
    """Layers by name, functions between them."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 24)
        self.fc2 = nn.Linear(24, 10)

    def forward(self, x):
        x = x.view(-1, 64)
        x = functional.relu(self.fc1(x))
        x = functional.dropout(x, training=self.training)
        x = self.fc2(x)
        return functional.log_softmax(x, dim=1)


class Agent(nn.Module):
    """Deep Q-learning."""

    def __init__(self):
        super().__init__()
        self.layer1, self.layer2, self.layer3 = nn.Linear(4, 16), nn.Linear(16, 16), nn.Linear(16, 2)

    def forward(self, x):
        x = functional.relu(self.layer1(x))
        x = functional.relu(self.layer2(x))
        return self.layer3(x)


class Tabular(nn.Module):
    """Continuous features normalised, then layers with batch normalisation behind the activation and dropout that differs."""

    def __init__(self):
        super().__init__()
        self.bn_cont = nn.BatchNorm1d(6)
        layers = []
        for a, b, p in ((6, 20, 0.25), (20, 10, 0.5)):
            layers += [nn.Linear(a, b, bias=False), nn.ReLU(inplace=True), nn.BatchNorm1d(b), nn.Dropout(p)]
        self.layers = nn.Sequential(*layers, nn.Linear(10, 1))

    def forward(self, x):
        return self.layers(self.bn_cont(x))


class Standardised(nn.Module):
    """The figures of the training data as buffers, and those of the targets."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.5, -1.0, 0.25]))
        self.register_buffer("std", torch.tensor([2.0, 0.5, 1.5]))
        self.net = nn.Sequential(nn.Linear(3, 12), nn.Tanh(), nn.Linear(12, 1))

    def forward(self, x):
        return self.net((x - self.mean) / self.std) * 4.0 + 1.5


class TabularBlock(nn.Module):
    """Of a residual network for tables."""

    def __init__(self, width, wide):
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.first, self.second = nn.Linear(width, wide), nn.Linear(wide, width)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x):
        z = self.norm(x)
        z = self.dropout(functional.relu(self.first(z)))
        return x + self.second(z)


class FeedForward(nn.Module):
    """Of a transformer, normalised before."""

    def __init__(self, width):
        super().__init__()
        self.ln = nn.LayerNorm(width)
        self.c_fc, self.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x):
        h = self.c_fc(self.ln(x))
        h = 0.5 * h * (1.0 + torch.erf(h / math.sqrt(2.0)))
        return x + self.dropout(self.c_proj(h))


class Waves(nn.Module):
    """Sines, with a frequency."""

    def __init__(self):
        super().__init__()
        self.net = nn.ModuleList([nn.Linear(2, 16), nn.Linear(16, 16)])
        self.last = nn.Linear(16, 1)

    def forward(self, x):
        for layer in self.net:
            x = torch.sin(5.0 * layer(x))
        return self.last(x)


class Physics(nn.Module):
    """Layers in a loop."""

    def __init__(self):
        super().__init__()
        widths = [2, 10, 10, 10, 1]
        self.linears = nn.ModuleList([nn.Linear(a, b) for a, b in itertools.pairwise(widths)])

    def forward(self, x):
        for linear in self.linears[:-1]:
            x = torch.tanh(linear(x))
        return self.linears[-1](x)


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x):
        x = self.a(x)
        x = x * torch.sigmoid(x)
        x = self.b(x)
        x = x * torch.tanh(functional.softplus(x))
        return self.c(x)


class Bounded(nn.Module):
    """An action between two bounds."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 8), nn.ELU(), nn.Linear(8, 2))

    def forward(self, x):
        return torch.sigmoid(self.body(x)) * 3.0 - 1.0


def discriminator():
    return nn.Sequential(
        nn.Linear(20, 16), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(16, 8), nn.LeakyReLU(0.2), nn.Dropout(0.3),
        nn.Linear(8, 1), nn.Sigmoid(),
    )  # fmt: skip


def normalised(order):
    """Batch normalisation before or behind the activation."""
    parts = [
        nn.Linear(6, 12),
        *order(12),
        nn.Dropout(0.1),
        nn.Linear(12, 9),
        *order(9),
        nn.Dropout(0.1),
        nn.Linear(9, 3),
    ]
    return settled(nn.Sequential(*parts), 6)


def residual():
    blocks = [TabularBlock(8, 12) for _ in range(2)]
    return settled(nn.Sequential(nn.Linear(5, 8), *blocks, nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2)), 5)


def weight_normed():
    norm = nn.utils.parametrizations.weight_norm
    return nn.Sequential(norm(nn.Linear(4, 8)), nn.PReLU(8), norm(nn.Linear(8, 2)))


SINE = {"torch": "no equivalent of sine", "keras": "no equivalent of sine"}
PRELU = dict.fromkeys(("flax", "nnx", "equinox"), "no equivalent of prelu")

ROWS = [
    Row("torch quickstart", Quickstart, (32, 32)),
    Row("torch digits with functions", Digits, (24,)),
    Row("torch d2l", lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 25), nn.ReLU(), nn.Linear(25, 10)), (25,)),
    Row("torch deep Q-learning", Agent, (16, 16)),
    Row("torch GAN discriminator", discriminator, (16, 8)),
    Row("torch batch norm before the activation", lambda: normalised(lambda n: (nn.BatchNorm1d(n), nn.ReLU())), (12, 9)),
    Row("torch batch norm behind the activation", lambda: normalised(lambda n: (nn.SiLU(), nn.BatchNorm1d(n))), (12, 9)),
    Row("torch tabular", lambda: settled(Tabular(), 6), (20, 10)),
    Row("torch standardised", Standardised, (12,)),
    Row("torch residual tabular", residual, None),
    Row(
        "torch transformer feed-forward",
        lambda: settled(nn.Sequential(nn.Linear(5, 6), FeedForward(6), nn.LayerNorm(6), nn.Linear(6, 4, bias=False)), 5),
        None,
    ),
    Row("torch sines", Waves, (16, 16), SINE),
    Row("torch physics", Physics, (10, 10, 10)),
    Row("torch gates by hand", Gated, (8, 8)),
    Row("torch bounded actions", Bounded, None),
    Row("torch weight norm and prelu", weight_normed, (8,), PRELU),
]  # fmt: skip
