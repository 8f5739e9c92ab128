"""PyTorch: derivatives and vectorisation by ``torch.func``, compilation by ``torch.compile``, training in place."""

from multimlp.backends.torch.adapter import TorchBackend

__all__ = ["TorchBackend"]
