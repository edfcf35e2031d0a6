import subprocess
import sys
from pathlib import Path

import pytest

from seqcfg.errors import UserError
from seqcfg.recipe.secrets import is_secret_name
from seqcfg.runs import machine
from seqcfg.runs.manifest import begin_attempt, finish_attempt, new_manifest, read_manifest, write_manifest
from seqcfg.runs.masking import mask_command

ROOT = Path(__file__).resolve().parents[2]
PARTS = {"data": "d1", "model": "m1", "training": "t1", "decoding": "e1"}


def test_a_manifest_comes_back_as_written(tmp_path):
    manifest = new_manifest("café", PARTS, "abc", {"training": 7})
    begin_attempt(manifest, ["/somewhere/bin/seqcfg", "train", "r.yaml", "--token", "hush"], first_step=0, threads=(2, 1))
    finish_attempt(manifest, 20, "stopped")
    begin_attempt(manifest, ["seqcfg", "train", "r.yaml"], first_step=20)
    write_manifest(tmp_path / "m", manifest)
    again = read_manifest(tmp_path / "m")
    assert again == manifest
    first, second = again.attempts
    assert (first.first_step, first.last_step, first.outcome, second.finished) == (0, 20, "stopped", "")
    assert first.versions["python"].startswith("3.") and first.versions["seqcfg"] and first.machine.threads_inside == 2
    assert first.started <= first.finished <= second.started
    assert list(first.command) == ["seqcfg", "train", "r.yaml", "--token", "***"]
    assert "hush" not in (tmp_path / "m").read_text()


def test_fields_of_a_later_version_are_passed_over_and_rubbish_is_an_error(tmp_path):
    (tmp_path / "m").write_text('recipe_name: "a"\nmood: "fine"\n')
    assert read_manifest(tmp_path / "m").recipe_name == "a"
    (tmp_path / "m").write_text("recipe_name: [")
    with pytest.raises(UserError, match="cannot read the run's manifest"):
        read_manifest(tmp_path / "m")


def test_the_module_is_what_the_schema_says():
    done = subprocess.run([sys.executable, str(ROOT / "bin" / "make_protos"), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_secrets_are_masked_and_settings_are_not():
    home = str(Path.home())
    command = [
        "--api-key",
        "k1",
        "--password=p1",
        "--set",
        "data.hf_token=t1",
        "--run",
        f"{home}/runs/a",
        "https://u:p2@host/x?sig=s1",
        "-v",
    ]
    assert mask_command(command) == [
        "--api-key",
        "***",
        "--password=***",
        "--set",
        "data.hf_token=***",
        "--run",
        "~/runs/a",
        "https://host/x",
        "-v",
    ]
    assert mask_command(["--token", "--verbose", "x"]) == ["--token", "--verbose", "x"]


@pytest.mark.parametrize(
    "name", ["cls_token", "num_memory_tokens", "key", "num_keys", "key_dim", "start_token", "tokens", "query_key", "", "seed", "--set"]
)
def test_ordinary_names_are_not_secret(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["--token", "HF_TOKEN", "apiKey", "api_key", "db-password", "a.b.client_secret", "AWS_SECRET_ACCESS_KEY", "private-key"]
)
def test_secret_names_are_recognised(name):
    assert is_secret_name(name)


def test_the_machine_is_described_without_its_name():
    import platform

    name, flags = machine.processor()
    assert name and machine.cores() >= 1 and set(flags) <= set(machine.FLAGS)
    assert platform.node() not in f"{name} {machine.versions()}"
    commit, _ = machine.git_state()
    assert commit == "" or len(commit) == 40
