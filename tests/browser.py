"""A real headless Chromium, spoken to by the WebDriver protocol (w3.org/TR/webdriver2) over HTTP on 127.0.0.1."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import pytest

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="there is no chromium with chromedriver on this machine")


class Browser:
    """One window. `run` executes JavaScript in the page and returns what it returns; `log` has what the console said."""

    def __init__(self, address: str, session: str):
        self._base = f"{address}/session/{session}"

    def open(self, page: Path) -> None:
        self.visit(page.resolve().as_uri())

    def visit(self, address: str) -> None:
        _post(f"{self._base}/url", {"url": address})

    def run(self, script: str, *arguments):
        return _post(f"{self._base}/execute/sync", {"script": script, "args": list(arguments)})

    def resize(self, width: int, height: int) -> None:
        """Of the page itself, as a phone has it: windows do not become that narrow."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)

    def devtools(self, command: str, parameters: dict):
        return _post(f"{self._base}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def screenshot(self, file: Path) -> None:
        with urllib.request.urlopen(f"{self._base}/screenshot") as answer:
            file.write_bytes(base64.b64decode(json.load(answer)["value"]))

    def log(self) -> list[dict]:
        return _post(f"{self._base}/se/log", {"type": "browser"})


@contextlib.contextmanager
def chromium(*flags):
    """A Browser, with these command-line flags besides FLAGS; it and its driver end with the block."""
    driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        try:
            port = next(found[1] for line in driver.stdout if (found := re.search(r"started successfully on port (\d+)", line)))
            address = f"http://127.0.0.1:{port}"
            options = {"binary": CHROMIUM, "args": [*FLAGS, *flags, f"--user-data-dir={profile}", "--window-size=1280,900"]}
            wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            session = _post(f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
            try:
                yield Browser(address, session)
            finally:
                urllib.request.urlopen(urllib.request.Request(f"{address}/session/{session}", method="DELETE")).close()
        finally:
            driver.terminate()
            driver.wait(10)


def _post(address: str, body: dict):
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["value"]
