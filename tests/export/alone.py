"""An environment that holds a few packages, what they require, and nothing else: neither seqcfg nor its other requirements."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement


def environment(folder, packages):
    """Makes a folder of links to the packages and all they require, and returns it."""
    wanted, seen = list(packages), set()
    while wanted:
        name = wanted.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        distribution = importlib.metadata.distribution(name)
        for place in {Path(file).parts[0] for file in distribution.files if Path(file).parts[0] not in ("..", "__pycache__")}:
            link = folder / place
            if not link.exists():
                link.symlink_to(distribution.locate_file(place))
        for line in distribution.requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                wanted.append(requirement.name)
    return folder


def run(folder, program, *arguments, stdin=""):
    """The standard output of a Python program that finds packages in this folder alone."""
    start = (
        f"import runpy, sys; sys.path.append({str(folder)!r}); sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", start, str(program), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
