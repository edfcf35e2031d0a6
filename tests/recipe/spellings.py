"""Ways to spell a path that leads where a recipe has no business (S13): upward, hidden, linked, absolute, encoded, devices, schemes."""

from __future__ import annotations

from pathlib import Path


def spellings(outside: Path) -> list[str]:
    """Ways to name a file that is no recipe; relative ones lead from a folder beside `outside` to it."""
    up, name = f"../{outside.name}", "secret"
    plain = [f"{up}/{name}", f"{up}/{name}.txt", f"{up}/./{name}", f"{up}//{name}", f"x/../{up}/{name}", f"./{up}/{name}.txt", "link.txt"]
    hidden = [f"{up}/.netrc", f"{up}/.docker/config.json", f"{up}/.config/gh/hosts.yml", ".netrc", ".ssh/id.yaml", "./.git/config.yaml"]
    links = ["link.yaml", "folder/secret", "folder/.docker/config.json", "hidden.yaml", "loop.yaml", "folder/../secret", "link.yaml/."]
    absolute = [
        str(outside / name),
        f"/{outside / name}",
        "/etc/passwd",
        "/etc/passwd.yaml",
        "/dev/zero",
        "/dev/stdin",
        "/proc/self/environ",
    ]
    odd_roots = ["~/secret", "~root/secret", "$HOME/secret", "${HOME}/secret", "%HOME%/secret", "file:secret", f"file://{outside}/secret"]
    schemes = [
        "http://127.0.0.1:9/x.yaml",
        "https://x/y.yaml",
        "ftp://x/y.yaml",
        "gs://x/y.yaml",
        "s3://x/y.yaml",
        "data:,x",
        "ram://x.yaml",
    ]
    windows = [
        "C:/secret.yaml",
        "C:secret.yaml",
        "..\\secret",
        "\\\\host\\share\\x.yaml",
        "//host/share/x.yaml",
        "CON",
        "NUL.yaml",
        "aux.yaml:x",
    ]
    encoded = [f"%2e%2e/{outside.name}/{name}", f"..%2f{name}", f"%2e%2e%2f{name}", f"..%252f{name}", f"..;/{name}", "%00.yaml", "..%c0%af"]
    unicode = [
        f"\u2024\u2024/{name}",
        f"\uff0e\uff0e/{name}",
        f"..\u2215{name}",
        f"..\uff0f{name}",
        f"\u202e../{name}",
        f"{name}\u200b",
        "\ufeff../x",
    ]
    empty = [
        "",
        " ",
        ".",
        "..",
        "/",
        "...",
        "....//secret",
        "../" * 40 + "etc/passwd",
        "seqcfg:../../etc/passwd",
        "seqcfg:/etc/passwd",
        "seqcfg:",
    ]
    long = ["a" * 300 + ".yaml", "a/" * 3000 + "x.yaml", "../" * 3000 + "etc/passwd.yaml"]
    return plain + hidden + links + absolute + odd_roots + schemes + windows + encoded + unicode + empty + long
