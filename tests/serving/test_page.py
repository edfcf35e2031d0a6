"""The page of a served model, in a browser."""

import time

from tests.browser import chromium, needs_browser
from tests.serving.loads import serving


@needs_browser
def test_a_text_that_is_typed_is_answered():
    with serving() as (port, _), chromium() as browser:
        browser.visit(f"http://127.0.0.1:{port}/")
        browser.run("document.getElementById('texts').value = 'one\\n<b>two</b>'; document.querySelector('button').click()")
        deadline = time.monotonic() + 20
        while not (cells := browser.run("return [...document.querySelectorAll('td')].map((one) => one.textContent)")):
            assert time.monotonic() < deadline
        assert cells == ["one", "ONE", "3.000", "<b>two</b>", "<B>TWO</B>", "10.000"]
        assert browser.run("return document.getElementById('said').textContent").endswith(" ms")
