"""`seqcfg`, one of whose replicas meets NaN: poisoned.py STEP REPLICA FOLDER COMMAND ...

In update STEP replica REPLICA alone finds NaN in the gradient of one weight. After each update a line of JSON in FOLDER says of
every replica of this process which bits it holds of the whole state, and of what gradients change.
"""

import json
import os
import sys
import zlib
from pathlib import Path

from seqcfg.cli import main
from seqcfg.lazy import tf
from seqcfg.training.gradients import LossGradients
from seqcfg.training.loop import TrainingLoop

bad_step, bad_replica, folder = int(sys.argv.pop(1)), int(sys.argv.pop(1)), Path(sys.argv.pop(1))
folder.mkdir(exist_ok=True)
compute, advance = LossGradients.__call__, TrainingLoop._advance


def poisoned(self, values, batch, step, part, scale):
    gradients, seen, updates = compute(self, values, batch, step, part, scale)
    is_here = (step == bad_step - 1) & (part == bad_replica)
    first, *others = gradients["main"]
    return gradients | {"main": [tf.where(is_here, float("nan"), first), *others]}, seen, updates


def noted(self, iterator):
    advance(self, iterator)
    variables = self._state.variables()
    learnt = [variable for name, variable in variables.items() if name.startswith(("weights/", "slots/"))]
    line = {"step": self.done, "left_out": int(self._state.skipped.numpy())}
    line |= {"all": bits(self, variables.values()), "learnt": bits(self, learnt)}
    with open(folder / str(os.getpid()), "a") as file:
        file.write(json.dumps(line) + "\n")


def bits(self, variables):
    """A checksum for each replica of this process."""
    copies = [self._devices._strategy.experimental_local_results(variable) for variable in variables]
    return [zlib.crc32(b"".join(copy.numpy().tobytes() for copy in replica)) for replica in zip(*copies, strict=True)]


LossGradients.__call__, TrainingLoop._advance = poisoned, noted
sys.exit(main(sys.argv[1:]))
