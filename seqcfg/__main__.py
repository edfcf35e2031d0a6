"""`python -m seqcfg`, the same as `seqcfg`."""

import sys

from seqcfg.cli import main

if __name__ == "__main__":
    sys.exit(main())
