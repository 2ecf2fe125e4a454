"""Chromium, driven without a window and without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import playwright.sync_api as playwright
import pytest
from browser.pages import FLAGS, SECONDS, chromium
from unit.report.fakes import every_status, searched, with_trials

from mbnas.report import write_report
from mbnas.search import Study


class Browser:
    """A file opened in Chromium, and what one asks of it."""

    def __init__(self, page: playwright.Page) -> None:
        self.page = page
        self._devtools = page.context.new_cdp_session(page)
        self._problems: list[str] = []
        self._requests: list[str] = []
        page.set_default_timeout(1000 * SECONDS)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._problems.append(str(error)))
        page.on("request", lambda request: self._requests.append(request.url))

    def _said(self, message: playwright.ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._problems.append(message.text)

    def open(self, page: Path, width: int = 1280, scheme: str = "light") -> None:
        """Opens a page at a width and waits until its plots are drawn."""
        self.resize(width)
        self.prefer(scheme)
        self.page.goto(page.as_uri())
        self.wait("document.documentElement.dataset.drawn === 'true'")

    def resize(self, width: int) -> None:
        """A width in pixels; below 600 it is a phone."""
        phone = width < 600
        self._devtools.send(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": phone},
        )
        self._devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": phone})

    def prefer(self, scheme: str) -> None:
        """Light or dark, as the reader's system would say."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._devtools.send("Emulation.setEmulatedMedia", {"features": features})

    def text(self, selector: str) -> str:
        """What a reader sees of an element."""
        return self.page.inner_text(selector)

    def ask(self, expression: str) -> Any:
        # As a function: the page's own policy forbids evaluating texts.
        return self.page.evaluate(f"() => ({expression})")

    def wait(self, expression: str) -> None:
        """Until an expression is true."""
        self.page.wait_for_function(f"() => ({expression})")

    def problems(self) -> list[str]:
        """Errors and warnings of the console since they were last asked for."""
        found, self._problems = self._problems, []
        return found

    def requests(self) -> list[str]:
        """Addresses that were asked for since they were last asked for."""
        found, self._requests = self._requests, []
        return found


@pytest.fixture(scope="session")
def chrome() -> Iterator[playwright.Browser]:
    path = chromium()
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser(chrome: playwright.Browser) -> Iterator[Browser]:
    page = chrome.new_page()
    yield Browser(page)
    page.close()


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return searched(tmp_path_factory.mktemp("studies") / "shown")


@pytest.fixture(scope="session")
def report(study: Study) -> Path:
    return write_report(with_trials(study, every_status(study, 60)))


@pytest.fixture(scope="session")
def empty_report(study: Study) -> Path:
    path = study.folder.path / "empty" / "report.html"
    return write_report(with_trials(study, []), path)
