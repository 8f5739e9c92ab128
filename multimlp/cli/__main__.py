"""``python -m multimlp.cli``."""

import sys

from multimlp.cli import main

sys.exit(main())
