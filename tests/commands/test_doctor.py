import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from seqcfg.commands import doctor


@pytest.fixture
def installed(monkeypatch):
    """A dict of package versions that the doctor takes for what is installed."""
    versions = {"tensorflow": "2.21.0", "tensorflow-text": "2.21.1", "click": "8.2"}
    monkeypatch.setattr(doctor, "_version", versions.get)
    lines = ["click>=8.1", "tensorflow<2.22,>=2.21", 'tensorflow-text>=2.21; platform_system != "Mars"', 'ruff; extra == "dev"']
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: lines)
    return versions


def statuses(checks):
    return {check.name: check.status for check in checks}


def test_a_whole_installation_is_ok(installed):
    assert statuses(doctor.check_packages()) == {"click": "ok", "tensorflow": "ok", "tensorflow-text": "ok"}
    assert doctor.check_text().status == "ok"


def test_what_is_missing_or_of_the_wrong_version_is_named_with_the_command_that_mends_it(installed):
    installed["tensorflow"] = "2.22.0"
    del installed["click"]
    found = {check.name: check for check in doctor.check_packages()}
    assert (found["tensorflow"].status, found["tensorflow"].found) == ("broken", "2.22.0")
    assert found["tensorflow"].hint == "pip install 'tensorflow<2.22,>=2.21'"
    assert (found["click"].status, found["click"].found) == ("broken", "missing")
    text = doctor.check_text()
    assert text.status == "broken" and text.hint == "pip install 'tensorflow-text==2.22.*'"


def test_without_tensorflow_text_there_is_a_warning_only(installed):
    del installed["tensorflow-text"]
    assert statuses(doctor.check_packages())["tensorflow-text"] == "warning"
    assert doctor.check_text().status == "warning"


@pytest.mark.parametrize("version, status", [((3, 9), "broken"), ((3, 10), "ok"), ((3, 13), "ok"), ((3, 14), "broken")])
def test_only_pythons_that_tensorflow_has_wheels_for_are_ok(version, status):
    assert doctor.check_python(version).status == status


@pytest.mark.parametrize("free, status", [(1e8, "broken"), (1e9, "warning"), (1e11, "ok")])
def test_a_full_disk_is_noticed(monkeypatch, free, status):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: type("Usage", (), {"free": free})())
    assert statuses(doctor.check_places(None))["disk"] == status


def test_json_says_the_same_and_the_exit_code_tells(installed, tmp_path):
    run = CliRunner().invoke(doctor.command, ["--json", "--quick", "--data-root", str(tmp_path)], standalone_mode=False)
    report = json.loads(run.output)
    assert run.return_value == 0 and report["ok"]
    assert {"python", "tensorflow", "cores", "memory", "disk"} <= {check["name"] for check in report["checks"]}
    installed["click"] = "7.0"
    run = CliRunner().invoke(doctor.command, ["--json", "--quick"], standalone_mode=False)
    assert run.return_value == 1 and not json.loads(run.output)["ok"]


def test_it_works_where_tensorflow_is_missing():
    program = """
import sys
sys.modules["tensorflow"] = None
import importlib.metadata as metadata
real = metadata.version
def version(name):
    if name.startswith("tensorflow"):
        raise metadata.PackageNotFoundError(name)
    return real(name)
metadata.version = version
from seqcfg.cli import main
sys.exit(main(["doctor"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "broken   tensorflow starts                it is missing" in done.stdout


def test_tensorflow_multiplies_and_compiles_here():
    checks = statuses(doctor.check_tensorflow())
    assert checks == {"tensorflow starts": "ok", "accelerators": "ok", "matmul": "ok", "XLA": "ok"}
