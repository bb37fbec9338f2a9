"""Run the command line as `python -m flushproof`."""

import sys

from flushproof.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
