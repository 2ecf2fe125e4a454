"""The dashboard in Chromium, driven by Playwright."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from mbnas.dashboard import make_app, served

SECONDS = 120
expect.set_options(timeout=1000 * SECONDS)
FLAGS = ("--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")


def chromium() -> str:
    """Where Chromium is; skips, or in CI fails, where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        missing = "chromium is needed to open the dashboard"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def shown(*studies: Path, refresh: float = 0.3) -> contextlib.AbstractContextManager[str]:
    """The address of a dashboard over these studies."""
    return served(make_app(studies, refresh=refresh))


@dataclass
class Visit:
    """A page of the dashboard, and what went wrong on it."""

    page: Page
    address: str
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def drawn(self, figure: str = "front") -> None:
        """Until a figure is drawn."""
        self.page.wait_for_selector(f"#{figure} .main-svg")
        self.until(
            "id => { const plot = document.querySelector(`#${id} .js-plotly-plot`);"
            " return plot?.data?.length || plot?.layout?.annotations?.length; }",
            figure,
        )

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def see(self, selector: str, text: str) -> None:
        """Until a place says something."""
        expect(self.page.locator(selector)).to_contain_text(text, timeout=SECONDS * 1000)

    def ask(self, script: str, argument: Any = None) -> Any:
        """What a function of the page gives; its own policy forbids evaluating strings there."""
        return self.page.evaluate(script, argument)

    def until(self, script: str, argument: Any = None) -> None:
        self.page.wait_for_function(script, arg=argument)

    def at_address_of(self, number: int) -> None:
        """Until the page's address names a trial: it comes of another request than the trial."""
        self.until("n => new URLSearchParams(location.search).get('trial') === String(n)", number)

    def choose(self, dropdown: str, label: str) -> None:
        """Chooses in one of Dash's dropdowns."""
        self.page.click(f"#{dropdown}")
        self.page.get_by_role("option", name=label, exact=True).click()

    def place(self, number: int) -> list[float]:
        """Where a trial's mark stands on the screen."""
        self.page.locator("#front").scroll_into_view_if_needed()
        spot: list[float] | None = self.ask(
            """number => {
              const plot = document.querySelector('#front .js-plotly-plot');
              const layout = plot._fullLayout, box = plot.getBoundingClientRect();
              for (const trace of plot.calcdata) for (const point of trace) {
                const own = trace[0].trace, numbers = own.customdata ?? [];
                if (own.yaxis === 'y' && numbers[point.i] === number)
                  return [box.x + layout.xaxis._offset + layout.xaxis.d2p(own.x[point.i]),
                          box.y + layout.yaxis._offset + layout.yaxis.d2p(own.y[point.i])];
              }
              return null;
            }""",
            number,
        )
        assert spot is not None, f"trial {number} is not in the plot"
        return spot

    def click_trial(self, number: int) -> None:
        """Clicks a trial's mark in the front."""
        spot = self.place(number)
        self.page.mouse.move(*spot)
        self.page.wait_for_selector("#front .hovertext")
        self.page.mouse.click(*spot)

    def check(self) -> None:
        """No error on the console, and nothing asked of any other host."""
        assert self.problems == []
        elsewhere = [
            url for url in self.requests if not url.startswith((self.address, "data:", "blob:"))
        ]
        assert elsewhere == []


@contextlib.contextmanager
def visited(
    browser: Browser, address: str, *, width: int = 1400, scheme: Any = "light", path: str = ""
) -> Iterator[Visit]:
    """A visit, checked at its end."""
    phone = width < 600
    context = browser.new_context(
        viewport={"width": width, "height": 1000},
        color_scheme=scheme,
        has_touch=phone,
        is_mobile=phone,
        accept_downloads=True,
    )
    page = context.new_page()
    page.set_default_timeout(SECONDS * 1000)
    visit = Visit(page, address)
    page.on("console", lambda m: visit.problems.append(m.text) if m.type != "log" else None)
    page.on("pageerror", lambda error: visit.problems.append(str(error)))
    page.on("request", lambda request: visit.requests.append(request.url))
    try:
        page.goto(address + path)
        page.wait_for_selector("#view")
        yield visit
        visit.check()
    finally:
        context.close()
