"""``python -m pocketrec``: the command line."""

import sys

from pocketrec.cli import main

if __name__ == "__main__":
    sys.exit(main())
