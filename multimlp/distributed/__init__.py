"""More than one process: who takes part, and how numbers travel between them.

Every byte is carried by an existing library: MPI, ``torch.distributed``, XLA's and TensorFlow's collectives. What stands here is the
little that training asks of any of them, `Communicator`.
"""

from multimlp.distributed._communicator import Alone, Communicator

__all__ = ["Alone", "Communicator"]
