"""`python -m seqcfg`, the same as `seqcfg`."""

from seqcfg.cli import run

if __name__ == "__main__":
    run()
