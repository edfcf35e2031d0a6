"""S15: nothing secret is written. Forty canaries: in the environment, in files of the home folder, on the command line, in an error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.component.test_plugins import install

ROOT = Path(__file__).parents[2]
TINY = Path(__file__).parent / "tiny.yaml"
NAMES = [
    "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY", "AWS_SESSION_SECRET", "HF_TOKEN", "HUGGINGFACE_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN",
    "WANDB_API_KEY", "MLFLOW_TRACKING_PASSWORD", "OPENAI_API_KEY", "DB_PASSWORD", "PGPASSWORD", "REDIS_PASSWD", "SSH_PRIVATE_KEY",
    "OAUTH_TOKEN", "CLIENT_SECRET", "SIGNING_KEY", "ENCRYPTION_KEY", "AUTH_KEY", "REFRESH_TOKEN", "AZURE_ACCOUNT_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",    "HTTPS_PROXY", "PIP_INDEX_URL",
]  # fmt: skip
FILES = [".netrc", ".aws/credentials", ".config/gh/hosts.yml", ".docker/config.json", ".pypirc", ".ssh/id_ed25519", ".kube/config", ".env"]
ERROR = [f"canary-error-{index:02d}-xyzw" for index in range(6)]
FAILING = f"""
from seqcfg.component.kinds import Layer
class Failing(Layer, type="canary.failing"):
    \"\"\"Fails with a text full of secrets.\"\"\"
    def __call__(self, w, x):
        password = {ERROR[0]!r}
        raise RuntimeError("cannot fetch https://anna:{ERROR[1]}@example.org/x?sig={ERROR[2]} with password={ERROR[3]}, "
            "api_key: '{ERROR[4]}', hf_token={ERROR[5]}; cls_token=3 num_memory_tokens=4 " + __import__("os").environ["HF_TOKEN"])
"""


@pytest.fixture
def place(tmp_path):
    """A home full of secrets, an environment full of them, and the canaries."""
    home = tmp_path / "home"
    canaries = {name: f"canary-environment-{index:02d}-xyzw" for index, name in enumerate(NAMES)}
    for index, name in enumerate(FILES):
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        canaries[name] = f"canary-file-{index:02d}-xyzw"
        file.write_text(f"machine example.org login anna password {canaries[name]}\n")
    environment = os.environ | {name: canaries[name] for name in NAMES} | {"HOME": str(home)}
    environment["HTTPS_PROXY"] = f"http://anna:{canaries['HTTPS_PROXY']}@127.0.0.1:9"
    environment["PIP_INDEX_URL"] = f"https://anna:{canaries['PIP_INDEX_URL']}@127.0.0.1:9/simple"
    return home, environment, list(canaries.values())


@pytest.mark.slow
def test_no_secret_is_in_any_byte_that_commands_write(place, tmp_path):
    home, environment, canaries = place
    out = home / "out"
    out.mkdir()
    plugin = install(
        tmp_path / "plugin", name="seqcfg-canary", version="1.0", entries={"canary": "canary_failing"}, modules={"canary_failing": FAILING}
    )
    environment["PYTHONPATH"] = os.pathsep.join([str(plugin), str(ROOT)])
    recipe = home / "tiny.yaml"
    recipe.write_text(TINY.read_text(encoding="utf-8") + "evaluation: {split: validation}\n", encoding="utf-8")
    printed = []

    def seqcfg(*arguments, code=0):
        done = subprocess.run([sys.executable, "-m", "seqcfg", *arguments], capture_output=True, text=True, env=environment, cwd=home)
        assert done.returncode == code, done.stdout[-1000:] + done.stderr[-3000:]
        printed.append(done.stdout + done.stderr)

    data = ["--cache-root", str(out / "prepared")]
    seqcfg(
        "train", str(recipe), "--run", str(out / "run"), *data, "--set", "training.steps=2", "--set", "training.checkpoint.every_steps=2"
    )
    seqcfg("evaluate", str(out / "run"), *data, "--split", "validation")
    seqcfg("export", str(out / "run"), *data, "--sample", "4")
    (home / "numbers.txt").write_text("one\ntwo\n")
    seqcfg("decode", str(out / "run"), "--input", "numbers.txt", "--output", str(out / "decoded.txt"))
    seqcfg("train", str(recipe), "--token", f"{canaries[0]}", code=2)
    failing = "task.model.encoder.layers.0={type: canary.failing}"
    seqcfg("train", str(recipe), "--run", str(out / "failing"), *data, "--set", failing, code=3)
    reports = list((out / "failing" / "crashes").glob("*.txt"))
    assert reports, "the failing run left no report"
    text = reports[0].read_text()
    assert "cannot fetch https://example.org/x with password=***" in text and "cls_token=3 num_memory_tokens=4" in text

    files = [file for file in out.rglob("*") if file.is_file()]
    assert len(files) > 15
    hits = [(file.name, canary) for file in files for canary in [*canaries, *ERROR] if canary.encode() in file.read_bytes()]
    assert hits == []
    assert not [canary for text in printed[:-1] for canary in canaries if canary in text and text is not printed[4]]
    private = [file.name for file in files if str(home).encode() in file.read_bytes()]
    assert private == []
