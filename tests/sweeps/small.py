"""A sweep over the rate of the tiny recipe, whose training is a stand-in."""

import sys
from pathlib import Path

from seqcfg.sweeps.plan import Plan
from seqcfg.sweeps.queue import Queue
from seqcfg.sweeps.workers import Workers

ROOT = Path(__file__).parents[2]
TINY = str(ROOT / "tests/training/tiny.yaml")
FAKE = (sys.executable, str(Path(__file__).with_name("fake_train.py")))
RATE = "training.schedule.value"


def make_plan(folder, rates=(0.001, 0.01, 0.1), seeds=3, steps=4, reuse=(), **settings):
    plan = Plan(folder, TINY, (f"training.steps={steps}",), {"over": {RATE: list(rates)}, "seeds": seeds} | settings, tuple(reuse))
    plan.store()
    return plan


def work(plan, number=1, limit=None, command=FAKE):
    """Runs the sweep; returns the lines it says."""
    said = []
    Workers(Queue(plan), (), said.append, command).run(number, limit)
    return said
