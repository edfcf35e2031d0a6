"""A client of yaml-language-server, the program behind YAML in VS Code, Neovim and JetBrains: JSON-RPC over its standard streams."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
VERSION = "1.25.0"
FOLDER = ROOT / "build" / f"yaml-language-server-{VERSION}"
SECONDS = 60  # how long an answer is waited for


class Missing(Exception):
    """The server cannot be had here; the text says why."""


def installed() -> Path:
    """The server's program, installed with npm once; raises Missing."""
    program = FOLDER / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
    if program.exists():
        return program
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise Missing("npm and node are not installed")
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = f"yaml-language-server@{VERSION}"
    command = [npm, "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix", str(FOLDER), wanted]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        raise Missing(f"npm took more than 300 s to install {wanted}") from None
    if done.returncode or not program.exists():
        raise Missing(f"npm could not install {wanted}: {done.stderr.strip()[-300:]}")
    return program


class LanguageServer:
    """A running server; `with` ends it."""

    def __init__(self, program: Path):
        command = [shutil.which("node") or "node", str(program), "--stdio"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.received: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.diagnostics: dict[str, list[dict[str, Any]]] = {}
        self.count = 0
        threading.Thread(target=self._read, daemon=True).start()
        capabilities = {"textDocument": {"hover": {}, "completion": {"completionItem": {"snippetSupport": True}}}}
        self.ask("initialize", {"processId": None, "rootUri": ROOT.as_uri(), "capabilities": capabilities})
        self.tell("initialized", {})
        settings = {"yaml": {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}}
        self.tell("workspace/didChangeConfiguration", {"settings": settings})

    def __enter__(self) -> LanguageServer:
        return self

    def __exit__(self, *failure: Any) -> None:
        self.process.kill()
        self.process.wait()

    def open(self, file: Path, text: str) -> str:
        """Shows a text to the server as if it stood in `file`; returns its name for questions."""
        self.count += 1
        uri = file.with_stem(f"{file.stem}_{self.count}").as_uri()
        self.tell("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "yaml", "version": 1, "text": text}})
        return uri

    def problems(self, file: Path, text: str) -> list[tuple[int, str]]:
        """(line counted from 1, message) of what the server flags in a text."""
        uri = self.open(file, text)
        while uri not in self.diagnostics:
            self._handle(self._next())
        return [(found["range"]["start"]["line"] + 1, found["message"]) for found in self.diagnostics[uri]]

    def completions(self, file: Path, text: str) -> list[str]:
        """What the server offers at the place marked by `@`."""
        answer = self._at("textDocument/completion", file, text)
        return [item["label"] for item in (answer["items"] if isinstance(answer, dict) else answer or [])]

    def hover(self, file: Path, text: str) -> str:
        """What the server tells about the word marked by `@`."""
        answer = self._at("textDocument/hover", file, text)
        contents = answer["contents"] if answer else ""
        return contents["value"] if isinstance(contents, dict) else str(contents)

    def _at(self, method: str, file: Path, text: str) -> Any:
        before, _, after = text.partition("@")
        uri = self.open(file, before + after)
        position = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        return self.ask(method, {"textDocument": {"uri": uri}, "position": position})

    def ask(self, method: str, params: Any) -> Any:
        self.count += 1
        identity = self.count
        self._send({"id": identity, "method": method, "params": params})
        while True:
            message = self._next()
            if message.get("id") == identity and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]
            self._handle(message)

    def tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _next(self) -> dict[str, Any]:
        message = self.received.get(timeout=SECONDS)
        assert message is not None, "the server ended"
        return message

    def _handle(self, message: dict[str, Any]) -> None:
        """Keeps diagnostics, and answers the server's own questions with nothing, which leaves its settings as they are."""
        if message.get("method") == "textDocument/publishDiagnostics":
            self.diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "id" in message and "method" in message:
            items = message["params"].get("items") if isinstance(message.get("params"), dict) else None
            self._send({"id": message["id"], "result": [{} for _ in items] if items is not None else None})

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while line := stream.readline():
            length = 0
            while line.strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
                line = stream.readline()
            self.received.put(json.loads(stream.read(length)))
        self.received.put(None)
