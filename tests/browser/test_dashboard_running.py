"""The dashboard over a search that goes on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser.pages import shown, visited
from helpers import tiny_space
from playwright.sync_api import Browser

from mbnas.data import load_data
from mbnas.network import Architecture
from mbnas.search import Search, open_study
from mbnas.search.steering import read_progress
from mbnas.testing import FakeLatencyMeter, FakeTrainer

pytestmark = pytest.mark.browser


@contextlib.contextmanager
def searching(folder: Path, trials: int) -> Iterator[Callable[[int], None]]:
    """A search that runs in the background, so many trainings at a time as are allowed."""
    allowed = threading.Semaphore(0)
    over = threading.Event()

    def before(_: Architecture) -> None:
        while not over.is_set() and not allowed.acquire(timeout=0.1):
            pass

    search = Search(
        tiny_space(),
        load_data("digits"),
        study=folder,
        trainer=FakeTrainer(before=before),
        meter=FakeLatencyMeter(),
        sampler="random",
        stopping=False,
    )
    thread = threading.Thread(target=search.run, kwargs={"trials": trials}, daemon=True)
    thread.start()
    try:
        yield lambda count: [None for _ in range(count) if allowed.release()] and None
    finally:
        over.set()
        thread.join(60)


def test_a_running_search_is_followed_paused_and_stopped(chrome: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "running"
    with searching(folder, trials=40) as allow, shown(folder) as address:
        with visited(chrome, address) as visit:
            allow(4)
            visit.drawn()
            visit.see("#state", "searching")
            evaluated = "n => Number(document.querySelector('#tiles strong')?.innerText) >= n"
            visit.until(evaluated, 4)
            box = visit.page.locator("#front .nsewdrag").first.bounding_box()
            assert box is not None
            visit.page.mouse.move(box["x"] + 60, box["y"] + 40)
            visit.page.mouse.down()
            visit.page.mouse.move(box["x"] + 260, box["y"] + 240, steps=4)
            visit.page.mouse.up()
            spans = (
                "() => { const p = document.querySelector('#front .js-plotly-plot')._fullLayout;"
                " return [...p.xaxis.range, ...p.yaxis.range].map(v => v.toFixed(6)).join(); }"
            )
            visit.until(
                "() => !document.querySelector('#front .js-plotly-plot').layout.xaxis.autorange"
            )
            zoomed = visit.ask(spans)
            for wanted in (6, 9):
                allow(3 if wanted == 9 else 2)
                visit.until(evaluated, wanted)
                assert visit.ask(spans) == zoomed
            visit.page.click("#pause")
            visit.see("#state", "paused")
            visit.see("#steered", f"mbnas steer {folder} pause")
            progress = read_progress(folder)
            assert progress is not None
            assert progress.state == "paused"
            assert visit.page.locator("#pause").is_disabled()
            allow(4)  # at most what is in evaluation takes this
            visit.page.click("#go-on")
            visit.until(evaluated, 13)
            visit.see("#state", "searching")
            visit.page.click("#stop")
            visit.see("#state", "stopping")
            allow(2)
            visit.see("#state", "no search is running")
        assert len(open_study(folder).trials) < 40


def test_an_open_network_follows_a_search_that_goes_on(chrome: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "running"
    neighbours = (
        "() => [...document.querySelectorAll('#neighbours-table button')]"
        ".map(one => Number(one.dataset.trial))"
    )
    with searching(folder, trials=40) as allow, shown(folder) as address:
        allow(4)
        with visited(chrome, address) as visit:
            visit.until("() => Number(document.querySelector('#tiles strong')?.innerText) >= 4")
            visit.see("#budget-said", "the best is")
            visit.page.click("#open-best")
            visit.until(f"() => ({neighbours})().length")
            visit.page.click("#profile-it")
            visit.drawn("stages")
            before = visit.ask(neighbours)
            visit.ask("() => { window.held = document.querySelector('#network-page svg'); }")
            visit.page.locator("#neighbours-table button").first.focus()
            allow(8)
            visit.until(f"before => ({neighbours})().join() !== before.join()", before)
            assert visit.ask("() => document.querySelector('#network-page svg') === window.held")
            focused = visit.ask("() => Number(document.activeElement.dataset.trial)")
            assert focused == before[0]
            assert visit.page.locator("#stages .main-svg").first.is_visible()
