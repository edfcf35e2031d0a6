"""Runs seqcfg commands in forks of a process that has loaded TensorFlow already: a run of a tiny recipe then takes a second or two.

As a program it reads orders from standard input; `ForkServer` is its client. A fork is an ordinary process with an id
of its own, which tests may kill. TensorFlow has been imported but not used before the fork, so no thread of it is lost.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class ForkServer:
    """Use as a context manager."""

    def __enter__(self):
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()

    def start(self, *argv, log=os.devnull, environment=None, program=None, imports=False):
        """Begins `seqcfg ARGV`, whose output goes to the file `log`; returns the process id.

        With `environment`, variables that are added to those of the server, it leaves as a process does that nobody
        forked. `program` is a Python file that runs instead, with ARGV as its arguments. With `imports` it is a new
        Python that has imported nothing.
        """
        order = {"argv": [str(one) for one in argv], "log": str(log), "environment": environment, "program": program and str(program)}
        return self._ask(order | {"imports": imports})

    def wait(self, pid, seconds=None):
        """The exit code, negative for a signal, to be asked once; None for a process that has not ended after `seconds`."""
        return self._ask({"wait": pid, "seconds": seconds})

    def has_ended(self, pid):
        """Whether `wait` would not wait."""
        return self._ask({"look": pid})

    def run(self, *argv, log=os.devnull):
        return self.wait(self.start(*argv, log=log))

    def _ask(self, order):
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the server of forks died"
        return json.loads(answer)


def serve():
    from seqcfg.cli import main
    from seqcfg.commands import checkpoint, replay, train  # noqa: F401 - loaded before the fork
    from seqcfg.lazy import tf
    from seqcfg.training import run  # noqa: F401

    tf.int32  # noqa: B018 - loads it
    ended = {}  # {process id: wait status}
    for line in sys.stdin:
        order = json.loads(line)
        if "look" in order:
            pid = order["look"]
            ended |= dict([os.waitpid(pid, os.WNOHANG)]) if pid not in ended else {}
            answer = pid in ended
        elif "wait" in order:
            pid = order["wait"]
            answer = os.waitstatus_to_exitcode(ended.pop(pid)) if pid in ended else exit_code(pid, order["seconds"])
        elif not (answer := os.fork()):
            handle = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(handle, 1)
            os.dup2(handle, 2)
            os.environ.update(order["environment"] or {})
            if order["imports"]:
                os.execv(sys.executable, [sys.executable, "-m", "seqcfg", *order["argv"]])
            try:
                if order["program"]:
                    sys.argv[1:] = order["argv"]
                    runpy.run_path(order["program"], run_name="__main__")
                code = 0 if order["program"] else main(order["argv"])
            except SystemExit as leaving:
                code = leaving.code
            if order["environment"]:
                sys.exit(code)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code or 0)
        print(json.dumps(answer), flush=True)


def exit_code(pid, seconds):
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        found, status = os.waitpid(pid, 0 if deadline is None else os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            return None
        time.sleep(0.05)


if __name__ == "__main__":
    serve()
