"""What the dashboard shows: of the chosen study alone, on axes as its controls say."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browser.pages import Visit, shown, visited
from playwright.sync_api import Browser, Error, expect
from unit.report.fakes import every_status, searched

from mbnas.search import Study, Trial

pytestmark = pytest.mark.browser
PLOT = "document.querySelector('#front .js-plotly-plot')"
RANGE = f"() => {PLOT}._fullLayout.yaxis.range"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Trials of every status; one is a hundred times as slow, some were stopped at 10 %."""
    made = searched(tmp_path_factory.mktemp("studies") / "shown")
    for trial in every_status(made, 60):
        made.folder.write_trial(_told_apart(trial), {}, None)
    return made


def _told_apart(trial: Trial) -> Trial:
    if trial.status == "trained":
        trial = replace(trial, accuracy=0.8 + 0.1 * (trial.accuracy or 0.0))
    if trial.status == "stopped":
        return replace(trial, curve=tuple(replace(one, accuracy=0.1) for one in trial.curve))
    if trial.status == "untrained" and trial.latency is not None:
        return replace(trial, latency=replace(trial.latency, latency_ms=20.0, high_ms=20.1))
    return trial


@pytest.fixture(scope="module")
def address(study: Study) -> Iterator[str]:
    with shown(study.folder.path) as found:
        yield found


def test_nothing_of_another_study_stays(chrome: Browser, study: Study, tmp_path: Path) -> None:
    none = tmp_path / "none"
    none.mkdir()
    with shown(study.folder.path, none) as address, visited(chrome, address) as visit:
        visit.drawn()
        visit.see("#budget-said", "the best is")
        visit.page.click("#open-best")
        visit.see("#network-page", "trial ")
        visit.choose("study", "none")
        visit.see("#state", "no study to show yet")
        for place in ("#tiles", "#front", "#network-page"):
            expect(visit.page.locator(place)).to_be_hidden()
        visit.page.click("#view label:has-text('Studies')")
        visit.see("#studies-table", "shown")
        visit.page.click("#view label:has-text('The front')")
        expect(visit.page.locator("#tiles")).to_be_hidden()
        # A study that comes to the folder is shown without what was open of the other.
        shutil.copytree(study.folder.path, none, dirs_exist_ok=True)
        expect(visit.page.locator("#tiles")).to_be_visible()
        visit.drawn()
        visit.until(f"() => {PLOT}.clientWidth > 500")
        expect(visit.page.locator("#network-shown")).to_be_hidden()


def test_the_box_says_what_the_axis_is(chrome: Browser, address: str) -> None:
    def has(visit: Visit, kind: str) -> None:
        visit.until(f"kind => {PLOT}.layout.xaxis.type === kind", kind)
        box = visit.page.locator("#logs label:has-text('log x') input")
        expect(box).to_be_checked(checked=kind == "log")

    with visited(chrome, address) as visit:
        visit.drawn()
        has(visit, "log")
        visit.page.click("#logs label:has-text('log x')")
        has(visit, "linear")
        visit.choose("x-axis", "resolution (px)")
        visit.until("() => document.querySelector('#front .xtitle').textContent.includes('px')")
        has(visit, "linear")
        visit.choose("x-axis", "latency (ms)")
        has(visit, "log")


def test_networks_stopped_far_below_come_in_by_a_drag(
    chrome: Browser, study: Study, tmp_path: Path
) -> None:
    folder = tmp_path / "growing"
    shutil.copytree(study.folder.path, folder)
    late = folder / "trials" / "00049"
    shutil.rmtree(late)
    with shown(folder) as address, visited(chrome, address) as visit:
        visit.drawn()
        visit.see("#front-said", "below what is shown")
        low = visit.ask(RANGE)[0]
        assert low > 0.3
        evaluated = "() => Number(document.querySelector('#tiles strong').innerText)"
        before = visit.ask(evaluated)
        _drag_until_lower(visit, low)
        dragged = visit.ask(RANGE)
        shutil.copytree(study.folder.path / "trials" / late.name, late)
        visit.until(f"before => ({evaluated})() > before", before)
        assert visit.ask(RANGE) == dragged
        visit.page.click("#front [data-title='Autoscale']")
        visit.until(f"dragged => ({RANGE})()[0] > dragged", dragged[0])
        assert visit.ask(RANGE)[0] > 0.3


def _drag_until_lower(visit: Visit, low: float) -> None:
    """Drags the lower end of the axis up; again, where the page was still being drawn."""
    is_lower = f"low => ({RANGE})()[0] < low"
    end = visit.page.locator("#front .xy .sdrag").first
    for _ in range(5):
        end.hover()
        box = end.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        visit.page.mouse.down()
        visit.page.mouse.move(x, y - 200, steps=5)
        visit.page.mouse.up()
        with contextlib.suppress(Error):
            visit.page.wait_for_function(is_lower, arg=low, timeout=3000)
            return
    visit.until(is_lower, low)


@pytest.mark.parametrize(("width", "axes"), [(390, 4 + 2), (1400, 14 + 2)])
def test_a_phone_has_few_axes_and_no_buttons_over_plots(
    chrome: Browser, address: str, width: int, axes: int
) -> None:
    with visited(chrome, address, width=width) as visit:
        visit.page.click("#view label:has-text('What it learned')")
        visit.drawn("parallel")
        names = (
            "() => document.querySelector('#parallel .js-plotly-plot').layout.xaxis.ticktext.length"
        )
        assert visit.ask(names) == axes
        visit.page.locator("#parallel").hover()
        assert visit.page.locator("#parallel .modebar").is_visible() == (width > 600)
        if width > 600:
            visit.page.set_viewport_size({"width": 390, "height": 800})
            visit.until(f"() => ({names})() === 6")


def test_a_slider_has_a_name_and_a_readable_value(chrome: Browser, address: str) -> None:
    with visited(chrome, address) as visit:
        visit.drawn()
        visit.see("#budget-said", "the best is")
        slider = visit.page.get_by_role("slider", name="budget", exact=True)
        said = slider.get_attribute("aria-valuetext")
        slider.focus()
        visit.page.keyboard.press("Home")
        expect(slider).not_to_have_attribute("aria-valuetext", said or "")
        value = slider.get_attribute("aria-valuenow") or ""
        assert slider.get_attribute("aria-valuetext") == f"{float(value):.4g}"
