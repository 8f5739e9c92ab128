"""``python -m multimlp``, and ``torchrun -m multimlp``: the ``multimlp`` command."""

import sys

from multimlp.cli import main

if __name__ == "__main__":
    sys.exit(main())
