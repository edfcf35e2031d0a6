"""Every shipped recipe plans to the weight table that is committed; a changed model shows itself here."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_weight_tables_are_those_that_were_committed():
    done = subprocess.run([sys.executable, str(ROOT / "bin" / "make_golden"), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
