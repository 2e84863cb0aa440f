"""``python -m nbops.cli``: the command line where the ``nbops`` script is not on the path."""

from __future__ import annotations

import sys

from nbops.cli import main

if __name__ == "__main__":
    sys.exit(main())
