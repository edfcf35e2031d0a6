"""Error codes E02: bases, overrides, variables, defaults, version and requirements."""

from __future__ import annotations

from seqcfg.recipe.codes import Code

CODES = (
    Code("E0201", "a base that is no path", "`base:` names a recipe, or a list of recipes.", "base: {file: tiny.yaml}", "write its path."),
    Code(
        "E0202",
        "a base that is not relative",
        "Bases are found relative to the recipe that names them, so that both can move together.",
        "base: /data/tiny.yaml",
        "write a path relative to this file, with /, or seqcfg:area/name for a shipped recipe.",
    ),
    Code(
        "E0203",
        "a base that is missing",
        "There is no file at the path of the base.",
        "base: tinny.yaml",
        "correct the path; the hint names a neighbour.",
    ),
    Code(
        "E0204",
        "no such shipped recipe",
        "`seqcfg:area/name` names a recipe that comes with seqcfg, and there is none of this name.",
        "base: seqcfg:mt/no_such",
        "`seqcfg new --list` names them all.",
    ),
    Code(
        "E0205",
        "a circle of bases",
        "A recipe is, over its bases, its own base.",
        "# in a.yaml\nbase: a.yaml",
        "remove one of the bases in the chain.",
    ),
    Code("E0206", "too many bases", "A recipe is composed of at most 32 files.", "", "merge some of the bases."),
    Code(
        "E0210",
        "a malformed override",
        "An override on the command line is path=value; path! removes a key.",
        "seqcfg show tiny.yaml --set training.steps",
        "for example --set training.steps=100, or --set training.clip! to remove.",
    ),
    Code(
        "E0211",
        "an override below a plain value",
        "The path of an override leads through a value that has no keys.",
        "seqcfg show tiny.yaml --set name.first=x",
        "set the whole value instead.",
    ),
    Code(
        "E0212",
        "nothing to remove",
        "An override removes a key that is not there.",
        "seqcfg show tiny.yaml --set 'training.stepps!'",
        "correct the path; `seqcfg show --origins` prints all paths.",
    ),
    Code(
        "E0213",
        "no such item",
        "An override names an item that the list does not have.",
        "seqcfg show tiny.yaml --set claims.7.value=1",
        "items are counted from 0; set the whole list to make it longer.",
    ),
    Code("E0220", "vars is no mapping", "`vars:` gives names to values.", "vars: [0.3]", "write `vars: {dropout: 0.3}`."),
    Code(
        "E0221",
        "not a variable",
        "Only ${vars.name} is replaced in a recipe; nothing is computed and no environment is read.",
        'name: "run_${USER}"',
        "define the value in `vars:`; write $${ for a plain ${.",
    ),
    Code(
        "E0222", "no such variable", "The variable is not defined in `vars:`.", 'rate: "${vars.dropuot}"', "define it, or correct its name."
    ),
    Code(
        "E0223",
        "a circle of variables",
        "Variables are defined by one another.",
        'vars: {a: "${vars.b}", b: "${vars.a}"}',
        "give one of them a plain value.",
    ),
    Code(
        "E0224",
        "a mapping or list inside a text",
        "A variable inside a longer text must be a plain value.",
        'vars: {sizes: [1, 2]}\nname: "net_${vars.sizes}"',
        "let the variable be the whole value, or a plain one.",
    ),
    Code(
        "E0225",
        "variables grow without end",
        "Replacing the variables gives more than a recipe may hold.",
        "",
        "define fewer variables by others.",
    ),
    Code(
        "E0230",
        "malformed defaults",
        "`defaults:` maps a kind and type to fields for every component of this type.",
        "defaults: {layer.dropout: 0.3}",
        "write `defaults: {layer.dropout: {rate: 0.3}}`, without type.",
    ),
    Code(
        "E0231",
        "defaults of no component",
        "No component has this kind and type.",
        "defaults: {layer.dense_net: {units: 8}}",
        "write kind.type; `seqcfg components` lists them.",
    ),
    Code(
        "E0232",
        "defaults of no field",
        "The component of this type has no such field.",
        "defaults: {layer.dropout: {rates: 0.3}}",
        "correct the name; `seqcfg components KIND TYPE` lists the fields.",
    ),
    Code(
        "E0233",
        "defaults without end",
        "A default puts a component into each component of its own type.",
        "defaults: {layer.residual: {layer: {type: residual}}}",
        "give the inner component another type, or write it where it stands.",
    ),
    Code(
        "E0240",
        "the version is missing",
        "A recipe says which version of the recipe language it is written in.",
        "name: tiny",
        "write `recipe_version: 1` in the first line.",
    ),
    Code(
        "E0241",
        "a version we do not read",
        "The recipe is written in a version of the language that this seqcfg does not know.",
        "recipe_version: 99",
        "install a newer seqcfg.",
    ),
    Code(
        "E0250",
        "a package is missing",
        "The recipe's `requires:` names a package that is not installed.",
        "requires: [seqcfg-no-such>=1.2]",
        "install the package, if you trust its author.",
    ),
    Code(
        "E0251",
        "a package of another version",
        "The recipe's `requires:` asks for another version of an installed package.",
        "requires: [pyyaml>=99]",
        "install a version that fits, or change the requirement.",
    ),
)
