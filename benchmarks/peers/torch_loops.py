"""Training loops by hand in PyTorch.

The idiomatic loop is that of the tutorials: `torch.nn.Sequential`, autograd, `torch.optim.Adam`. The best that is
known computes gradients by hand into one flat buffer and updates it with the fused kernel.
"""

from __future__ import annotations

import torch

from benchmarks.channel import Clock
from benchmarks.jobs import Network, Training

ACTIVATIONS = {"relu": torch.nn.ReLU, "gelu": torch.nn.GELU, "silu": torch.nn.SiLU}


def _device(job: Training) -> torch.device:
    return torch.device(job.device or "cpu")


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def sequential(
    network: Network, activation: type[torch.nn.Module], device: torch.device
) -> torch.nn.Sequential:
    """The network as a user of PyTorch writes it, with these parameters."""
    layers: list[torch.nn.Module] = []
    for i, (weight, bias) in enumerate(network):
        linear = torch.nn.Linear(*weight.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight.T.copy()))
            linear.bias.copy_(torch.from_numpy(bias.copy()))
        layers += [linear, activation()] if i < len(network) - 1 else [linear]
    return torch.nn.Sequential(*layers).to(device)


def idiomatic(job: Training, clock: Clock) -> None:
    """`torch.nn.Sequential` and `torch.optim.Adam`; the members of an ensemble one after another."""
    device, case = _device(job), job.case
    inputs, targets = case.data()
    X, Y = torch.from_numpy(inputs).to(device), torch.from_numpy(targets).long().to(device)
    activation = ACTIVATIONS[case.activation]
    models = [sequential(network, activation, device) for network in job.initial()]
    optimizers = [torch.optim.Adam(model.parameters(), lr=job.rate) for model in models]

    def read() -> list[Network]:
        linears = [[layer for layer in model if isinstance(layer, torch.nn.Linear)] for model in models]
        return [
            [(layer.weight.detach().cpu().numpy().T, layer.bias.detach().cpu().numpy()) for layer in inner]
            for inner in linears
        ]

    for order in job.orders():
        shuffled = torch.from_numpy(order).to(device)
        for model, optimizer in zip(models, optimizers, strict=True):
            for start in range(0, case.rows, case.batch):
                taken = shuffled[start : start + case.batch]
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(model(X[taken]), Y[taken])
                loss.backward()
                optimizer.step()
        _synchronize(device)
        if not clock(read):
            return


@torch.no_grad()
def best(job: Training, clock: Clock) -> None:
    """Gradients by hand into a flat buffer, `torch._fused_adam_` over it."""
    device, case = _device(job), job.case
    inputs, targets = case.data()
    X, Y = torch.from_numpy(inputs).to(device), torch.from_numpy(targets).long().to(device)
    (network,) = job.initial()
    size = sum(w.size + b.size for w, b in network)
    flat, grad, m, v = (torch.zeros(size, device=device) for _ in range(4))
    params, gradients, at = [], [], 0
    for w, b in network:
        middle, end = at + w.size, at + w.size + b.size
        flat[at:middle] = torch.from_numpy(w).ravel().to(device)
        flat[middle:end] = torch.from_numpy(b).to(device)
        params.append((flat[at:middle].view(w.shape), flat[middle:end]))
        gradients.append((grad[at:middle].view(w.shape), grad[middle:end]))
        at = end
    last, t = len(network), torch.zeros((), device=device)
    outputs = [torch.empty(case.batch, width, device=device) for width in case.sizes]
    deltas = [torch.empty(case.batch, width, device=device) for width in case.sizes]
    transposed = [weight.t() for weight, _ in params]
    minus_one = torch.full((case.batch, 1), -1.0, device=device)

    def read() -> list[Network]:
        return [[(w.cpu().numpy().copy(), b.cpu().numpy().copy()) for w, b in params]]

    for order in job.orders():
        shuffled = torch.from_numpy(order).to(device)
        shuffled_x, shuffled_y = X[shuffled], Y[shuffled][:, None]
        for start in range(0, case.rows, case.batch):
            layers = [shuffled_x[start : start + case.batch]]
            for i, (weight, bias) in enumerate(params):
                torch.addmm(bias, layers[i], weight, out=outputs[i + 1])
                layers.append(outputs[i + 1].relu_() if i < last - 1 else outputs[i + 1])
            delta = torch.softmax(layers[last], 1)
            delta.scatter_add_(1, shuffled_y[start : start + case.batch], minus_one).mul_(1 / case.batch)
            for i in range(last - 1, -1, -1):
                torch.mm(layers[i].t(), delta, out=gradients[i][0])
                torch.sum(delta, 0, out=gradients[i][1])
                if i:
                    torch.mm(delta, transposed[i], out=deltas[i])
                    delta = torch.ops.aten.threshold_backward(deltas[i], layers[i], 0)
            t += 1
            torch._fused_adam_(
                [flat], [grad], [m], [v], [], [t], lr=job.rate, beta1=0.9, beta2=0.999, weight_decay=0.0,
                eps=1e-8, amsgrad=False, maximize=False,
            )  # fmt: skip
        _synchronize(device)
        if not clock(read):
            return
