"""The commands about recipes, through click's runner and through the real entry point."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from seqcfg import cli
from seqcfg.errors import UserError
from seqcfg.recipe import shipped

ROOT = Path(__file__).parents[2]
TINY = str(ROOT / "tests" / "negative" / "bases" / "tiny.yaml")
BROKEN = str(ROOT / "tests" / "negative" / "out_of_range.yaml")


def run(*arguments):
    return CliRunner().invoke(cli.cli, list(arguments))


def output(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_every_verb_has_a_line_and_every_file_is_a_verb():
    files = {file.stem.removesuffix("_").replace("_", "-") for file in (ROOT / "seqcfg" / "commands").glob("[a-z]*.py")}
    assert files <= set(cli.VERBS)
    assert set(cli.available_verbs()) == files


@pytest.mark.parametrize("verb", cli.available_verbs())
def test_every_command_explains_itself(verb):
    assert "Usage:" in output(verb, "--help")


def test_help_imports_no_command_and_no_heavy_library():
    code = "import sys; from seqcfg.cli import main; main(['--help']); print(sorted(n for n in sys.modules if n.startswith('seqcfg')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "['seqcfg', 'seqcfg.cli', 'seqcfg.commands', 'seqcfg.errors']"


def test_an_unknown_command_gets_the_nearest_name(capsys):
    assert cli.main(["valdate"]) == 2
    assert "did you mean 'validate'" in capsys.readouterr().err


def test_a_users_problem_has_no_trace_and_exit_code_1(capsys):
    assert cli.main(["show", BROKEN]) == 1
    shown = capsys.readouterr().err
    assert "out_of_range.yaml:6:10: training.steps" in shown
    assert "Traceback" not in shown


def test_a_bug_has_a_trace_and_exit_code_3(monkeypatch, capsys):
    monkeypatch.setattr(shipped, "names", lambda: 1 / 0)
    assert cli.main(["new", "--list"]) == 3
    shown = capsys.readouterr().err
    assert "ZeroDivisionError" in shown
    assert "report" in shown


@pytest.mark.parametrize(("raised", "code"), [(KeyboardInterrupt, 130), (UserError("x"), 1), (OSError(28, "No space left on device"), 1)])
def test_exit_codes_follow_from_what_was_raised(monkeypatch, capsys, raised, code):
    def fail():
        raise raised

    monkeypatch.setattr(shipped, "names", fail)
    assert cli.main(["new", "--list"]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_validate_reports_every_file_and_counts(tmp_path):
    assert output("validate", TINY).strip() == "1 recipe: all valid"
    result = run("validate", TINY, BROKEN)
    assert result.exit_code == 1
    assert "2 recipes: 1 with problems" in result.output


def test_validate_reads_whole_folders():
    result = run("validate", str(ROOT / "tests" / "negative"))
    assert result.exit_code == 1
    assert "unknown_type.yaml" in result.output


def test_validate_speaks_json_and_github():
    problems = json.loads(run("validate", BROKEN, "--format", "json").output)
    assert [problem["line"] for problem in problems] == [4, 6]
    assert run("validate", BROKEN, "--format", "github").output.startswith("::error file=")
    assert json.loads(output("validate", TINY, "--format", "json")) == []


def test_validate_with_several_processes_says_the_same():
    folder = str(ROOT / "tests" / "negative")
    assert run("validate", folder, "--jobs", "2").output == run("validate", folder).output


def test_validate_speaks_sarif_and_junit():
    assert len(json.loads(run("validate", BROKEN, "--format", "sarif").output)["runs"][0]["results"]) == 2
    assert 'failures="1"' in run("validate", BROKEN, TINY, "--format", "junit").output
    assert json.loads(output("validate", TINY, "--format", "sarif"))["runs"][0]["results"] == []


def test_validate_can_be_held_to_what_changed(tmp_path, monkeypatch):
    assert isinstance(run("validate", TINY, "--changed-since", "no-such-revision").exception, UserError)
    assert output("validate", TINY, "--changed-since", "HEAD").strip() in ("0 recipes: all valid", "1 recipe: all valid")


def test_validate_needs_click_and_yaml_alone():
    """What the page about CI promises: no other package of a third party is imported, but for what Python 3.10 lacks."""
    lacking = {"typing_extensions"} if sys.version_info < (3, 11) else set()
    code = (
        "import sys\nfrom seqcfg.cli import main\n"
        f"assert main(['validate', {TINY!r}]) == 0\nassert main(['validate', {BROKEN!r}, '--format', 'sarif']) == 1\n"
        "foreign = [n for n, module in sys.modules.items() if 'site-packages' in (getattr(module, '__file__', '') or '')]\n"
        "names = {name.split('.')[0] for name in foreign}\n"
        "print(sorted(names - {'click', 'yaml', '_yaml'} - set(sys.argv[1:])))"
    )
    always = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    ).stdout.split()
    done = subprocess.run([sys.executable, "-c", code, *always], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(ast.literal_eval(done.stdout.splitlines()[-1])) <= lacking


def test_hooks_and_action_call_validate_as_it_is():
    import yaml

    options = {option for parameter in cli.cli.get_command(None, "validate").params for option in parameter.opts}
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert {hook["entry"] for hook in hooks} == {"seqcfg validate", "seqcfg migrate --check"}
    assert all(re.match(hook["files"], "recipes/mt/demo_numbers_enfr.yaml") for hook in hooks)
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    script = action["runs"]["steps"][-1]["run"]
    assert "python -m seqcfg validate" in script
    assert set(re.findall(r"(?<!\\S)--[a-z-]+", script)) <= options
    used = set(re.findall(r"inputs\.([a-z-]+)", (ROOT / "action.yml").read_text()))
    assert used == set(action["inputs"])


def test_show_prints_what_validates_again(tmp_path):
    file = tmp_path / "shown.yaml"
    file.write_text(output("show", TINY, "--set", "training.steps=12"))
    assert json.loads(output("show", str(file), "--format", "json"))["training"]["steps"] == 12


def test_show_tells_origins_and_fingerprints():
    assert "tiny.yaml:38:10 (recipe)" in output("show", TINY, "--origins")
    assert set(json.loads(output("show", TINY, "--fingerprint", "--format", "json"))) == {"data", "model", "training", "decoding"}


def test_show_can_be_held_to_what_differs_from_the_defaults(tmp_path):
    whole = output("show", TINY, "--set", "task.loss.label_smoothing=0.0")
    assert "label_smoothing" in whole
    file = tmp_path / "tiny.yaml"
    file.write_text(output("show", TINY, "--set", "task.loss.label_smoothing=0.0", "--only", "changed"))
    assert "label_smoothing" not in file.read_text()
    assert output("show", str(file), "--fingerprint") == output("show", TINY, "--set", "task.loss.label_smoothing=0.0", "--fingerprint")
    origins = output("show", TINY, "--set", "task.loss.label_smoothing=0.0", "--origins", "--only", "changed")
    assert "label_smoothing" not in origins and "training.steps = 10" in origins
    assert isinstance(run("show", TINY, "--defaults", "--only", "changed").exception, SystemExit)


def test_explain_prints_the_chain():
    assert "class default" in output("explain", TINY, "training.steps")


def test_components_lists_kinds_types_fields_and_places():
    assert "layer" in output("components")
    assert "multi_head_attention" in output("components", "layer")
    assert "num_heads" in output("components", "layer", "multi_head_attention")
    assert "dense.py:" in output("components", "layer", "dense", "--origin")
    assert re.search(r"layer\.dense +\S*dense\.py:", output("components", "--origin"))
    assert output("components", "dense") == output("components", "layer", "dense")
    for name, near in {"layr": "layer", "dens": "dense"}.items():
        refused = run("components", name).exception
        assert isinstance(refused, UserError) and repr(near) in refused.problems[0].hint
    assert isinstance(run("components", "layer", "dens").exception, UserError)


def test_plan_prints_goldens_and_json():
    lines = output("plan", TINY, "--format", "golden").splitlines()
    plan = json.loads(output("plan", TINY, "--format", "json"))
    assert lines[-1] == f"total {plan['total']} trainable {plan['trainable']}"
    assert sum(weight["size"] for weight in plan["weights"]) == plan["total"]
    assert sum(part["weights"] for part in plan["parts"]) == plan["total"]
    assert plan["memory"]["weights"] == 4 * plan["total"]


def test_plan_prints_a_table_and_widths():
    assert "memory in training" in output("plan", TINY)
    assert "output width" in output("plan", TINY, "--widths")


def test_new_copies_a_shipped_recipe_with_its_comments_under_a_new_name(tmp_path):
    for name in shipped.names():
        file = tmp_path / f"my-{name.replace('/', '-')}.yaml"
        output("new", str(file), "--from", name)
        text = file.read_text()
        assert f"name: {file.stem}\n" in text
        comments = [line for line in shipped.find(name).read_text().splitlines() if line.startswith("#") and "$schema" not in line]
        assert all(comment in text for comment in comments)
        assert output("validate", str(file)).strip() == "1 recipe: all valid"


def test_new_never_overwrites_and_knows_what_there_is(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("kept")
    name = shipped.names()[0]
    assert isinstance(run("new", str(file), "--from", name).exception, UserError)
    assert file.read_text() == "kept"
    assert isinstance(run("new", str(tmp_path / "other.yaml"), "--from", name[:-1]).exception, UserError)
    assert isinstance(run("new", str(tmp_path / "a b.yaml"), "--from", name).exception, UserError)
    assert name in output("new", "--list")
    assert run("new", str(file)).exit_code == 2
