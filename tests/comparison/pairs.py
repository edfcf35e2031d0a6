"""The pairs of recipes and runs whose differences are pinned in golden/: a function each, which writes them into the current folder.

A function returns what `seqcfg diff` is given. Its docstring says what the output must show.
"""

import hashlib
import subprocess
from pathlib import Path

from tests.comparison.synthetic import RECIPE, make_run

PAIRS = {}


def pair(function):
    PAIRS[function.__name__] = function
    return function


def write(**recipes):
    for name, text in recipes.items():
        Path(f"{name}.yaml").write_text(text, encoding="utf-8")


def changed(*replacements, text=RECIPE):
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    return text


def edited(*replacements):
    write(a=RECIPE, b=changed(*replacements))
    return ["a.yaml", "b.yaml"]


@pair
def reordered_keys_and_comments():
    """No difference."""
    head, sections = RECIPE.split("data:\n")[0], RECIPE.split("data:\n")[1]
    data, rest = sections.split("tokenizers:\n")
    tail, decoding = rest.split("decoding:")
    write(a=RECIPE, b=f"# Reordered.\n{head}decoding:{decoding}tokenizers:\n{tail}data: # last\n{data}")
    return ["a.yaml", "b.yaml"]


@pair
def numbers_spelled_differently():
    """No difference."""
    write(a=changed(("steps: 40", "steps: 40\n  schedule: {type: constant, value: 1e-4}")))
    write(b=changed(("steps: 40", "steps: 4e1\n  schedule: {type: constant, value: 0.0001}")))
    return ["a.yaml", "b.yaml"]


@pair
def default_spelled_out():
    """Cosmetic."""
    return edited(("steps: 40", "steps: 40\n  seed: 1"))


@pair
def about_and_name():
    """Cosmetic."""
    return edited(("name: small", "name: little\nabout: The same, under another name."))


@pair
def changed_width():
    """Every weight that is resized, and what that costs."""
    return edited(("dim: 16", "dim: 32"))


@pair
def changed_base_file():
    """The line of the base."""
    write(one=RECIPE, two=changed(("hidden: 8", "hidden: 24")))
    write(a="recipe_version: 1\nname: small\nbase: one.yaml\n", b="recipe_version: 1\nname: small\nbase: two.yaml\n")
    return ["a.yaml", "b.yaml"]


@pair
def changed_variable():
    """The line of the variable, once for every place it is used at."""
    text = changed(
        ("name: small", "name: small\nvars: {width: 16}"),
        ("dim: 16", 'dim: "${vars.width}"'),
        ("hidden: 8", 'hidden: "${vars.width}"'),
    )
    write(a=text, b=text.replace("{width: 16}", "{width: 32}"))
    return ["a.yaml", "b.yaml"]


@pair
def changed_defaults():
    """The line under defaults that fills in the field."""
    text = changed(("name: small", "name: small\ndefaults: {layer.multi_head_attention: {dropout: 0.1}}"))
    write(a=text, b=text.replace("dropout: 0.1", "dropout: 0.3"))
    return ["a.yaml", "b.yaml"]


@pair
def renamed_field_under_migration():
    """No difference but the name of the field: the old recipe is read as migrated."""
    write(a=changed(("hidden: 8", "inner: 8")), b=changed(("recipe_version: 1", "recipe_version: 2")))
    return ["a.yaml", "b.yaml"]


@pair
def another_seed():
    """Training, and nothing that follows."""
    return edited(("steps: 40", "steps: 40\n  seed: 2"))


@pair
def added_layer():
    """Layers are aligned: one is added, the others stay the same."""
    position = "        - {type: sinusoidal_position}\n"
    return edited((position, f"        - {{type: dropout, rate: 0.2}}\n{position}"))


@pair
def removed_layer():
    """Weights that go."""
    attention = "{type: multi_head_attention, num_heads: 2, attend_to: memory}"
    return edited((f"        - {{type: residual, norm: {{type: layer_norm}}, layer: {attention}}}\n", ""))


@pair
def another_type_of_layer():
    """Weights added, removed and renamed."""
    return edited(("norm: {type: layer_norm}, layer: {type: feed_forward", "norm: {type: rms_norm}, layer: {type: feed_forward"))


@pair
def another_start():
    """Weights of the same shape that start differently."""
    return edited(("scale: sqrt_dim}", "scale: sqrt_dim, initializer: {type: uniform, limit: 0.1}}"))


@pair
def another_optimizer():
    """Another type: what is kept per weight, and so the memory, changes."""
    return edited(("steps: 40", "steps: 40\n  optimizer: {type: sgd}"))


@pair
def another_loss():
    """The loss stands in the task and belongs to training."""
    return edited(("  model:\n", "  loss: {type: cross_entropy, label_smoothing: 0.1}\n  model:\n"))


@pair
def another_tokenizer():
    """Vocabulary and embeddings; per-token figures cannot be compared."""
    return edited(("shared: {type: byte}", "shared: {type: sentencepiece, vocab_size: 100}"))


@pair
def another_batch_size():
    """Tokens per step."""
    return edited(("max_tokens: 512", "max_tokens: 1024"), ("steps: 40", "steps: 40\n  accumulate_batches: 2"))


@pair
def another_search():
    """Decoding alone."""
    return edited(("width: 3", "width: 5, length_penalty: 0.6"), ("{type: chrf}", "{type: chrf, word_order: 2}"))


@pair
def three_recipes():
    """All held against the first."""
    write(a=RECIPE, b=changed(("hidden: 8", "hidden: 16")), c=changed(("hidden: 8", "hidden: 32"), ("steps: 40", "steps: 80")))
    return ["a.yaml", "b.yaml", "c.yaml"]


@pair
def another_split_for_validation():
    """Not comparable."""
    return edited(("small/test.tsv", "small/other.tsv"))


@pair
def git_revision_and_file():
    """The committed recipe against the one being written."""
    write(a=RECIPE)
    for arguments in (["init", "-q", "-b", "trunk"], ["add", "a.yaml"], ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m"]):
        subprocess.run(["git", *arguments], check=True)
    write(a=changed(("steps: 40", "steps: 60")))
    return ["trunk:a.yaml", "a.yaml"]


@pair
def runs_that_differ_in_the_seed():
    """The test says: no more than noise."""
    make_run("a", rate=0.3, seed=1)
    make_run("b", changed(("steps: 40", "steps: 40\n  seed: 2")), rate=0.3, seed=2)
    return ["a", "b"]


@pair
def a_better_run():
    """More than noise; wins and losses; cheaper."""
    make_run("runs/a", rate=0.5)
    make_run("runs/b", changed(("hidden: 8", "hidden: 16"), ("steps: 40", "steps: 20")), rate=0.1, seed=2, steps=20)
    return ["runs/a", "runs/b"]


@pair
def the_same_run_twice():
    """The same in everything."""
    make_run("a")
    make_run("b")
    return ["a", "b"]


@pair
def other_data_under_the_same_path():
    """The recipes agree, the files do not: which one it is."""
    files = {"small/test.tsv": "1" * 64, "small/train.tsv": "2" * 64}
    tokenizers = {"shared": "5" * 64}
    make_run("a", lock={"data": {"inputs": files, "tokenizers": tokenizers, "examples": {"train": 29000, "test": 60}}})
    changed_files = files | {"small/train.tsv": "3" * 64}
    make_run(
        "b", data="e" * 64, lock={"data": {"inputs": changed_files, "tokenizers": tokenizers, "examples": {"train": 28500, "test": 60}}}
    )
    return ["a", "b"]


@pair
def a_run_and_a_file_that_changed_since():
    """The recipe is the same, the file below the data root is another one now."""
    Path("data/small").mkdir(parents=True)
    for name in ("train", "test"):
        Path(f"data/small/{name}.tsv").write_text("one\tun\n", encoding="utf-8")
    then = {"small/train.tsv": "2" * 64, "small/test.tsv": hashlib.sha256(b"one\tun\n").hexdigest()}
    make_run("a", lock={"data": {"inputs": then}})
    write(today=RECIPE)
    return ["a", "today.yaml"]


@pair
def other_surroundings():
    """Versions, plugins, processor."""
    older, newer = {"seqcfg": "1.0", "tensorflow": "2.21.0", "numpy": "2.4.0"}, {"seqcfg": "1.1", "tensorflow": "2.21.0"}
    make_run("a", versions=older, lock={"plugins": {"seqcfg-example": "1.0"}})
    make_run("b", versions=newer, lock={"plugins": {"seqcfg-example": "1.2"}}, processor="Another", speed=300.0)
    return ["a", "b"]


@pair
def a_run_and_its_recipe_of_today():
    """What was changed since, and by which option of its command."""
    make_run("a", overrides=["training.seed=5"], command=["seqcfg", "train", "--set", "training.seed=5"])
    write(today=changed(("width: 3", "width: 4")))
    return ["a", "today.yaml"]


@pair
def a_run_at_two_steps():
    """The same recipe: outcome alone."""
    make_run("a")
    return ["a@10", "a@30"]


@pair
def a_run_that_was_killed():
    """Where it stands."""
    make_run("a")
    make_run("b", steps=20, outcome="")
    return ["a", "b"]


@pair
def runs_judged_on_other_lines():
    """Not comparable, and why."""
    make_run("a")
    make_run("b", lines=59)
    return ["a", "b"]


@pair
def runs_without_a_metric_in_common():
    """Computed anew from the stored texts by one metric of either recipe."""
    make_run("a", changed(("metrics: [{type: exact_match}, {type: chrf}]", "metrics: [{type: exact_match}]")))
    make_run("b", changed(("metrics: [{type: exact_match}, {type: chrf}]", "metrics: [{type: bleu}]")), rate=0.2)
    return ["a", "b"]
