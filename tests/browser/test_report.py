"""The report as a reader meets it: a file opened from disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from browser.conftest import Browser
from unit.report.fakes import every_status, numbered, with_trials

from mbnas.report import write_report
from mbnas.search import Study

pytestmark = pytest.mark.browser

PLOTS = ("front", "hypervolume", "choices", "importance", "parallel", "latency", "curves")
MEMBERS = (
    "Array.from(document.getElementById('front')._fullData"
    ".find(t => t.meta === 'front').customdata)"
)


@pytest.fixture(scope="module")
def large_report(study: Study) -> Path:
    trials = numbered(every_status(study, 200) * 6)
    timed = [replace(trial, training_seconds=1.5 * len(trial.curve)) for trial in trials]
    path = study.folder.path / "large" / "report.html"
    return write_report(with_trials(study, timed), path)


def test_plots_are_drawn_from_this_file_alone(browser: Browser, report: Path) -> None:
    browser.requests()
    browser.open(report)
    for name in PLOTS:
        assert browser.ask(f"document.querySelectorAll('#{name} svg.main-svg').length") > 0
        assert browser.ask(f"document.querySelectorAll('#{name} .trace, #{name} .point').length")
    own = [url for url in browser.requests() if not url.startswith(("data:", "blob:"))]
    assert own == [report.as_uri()]
    assert browser.problems() == []
    titles = browser.ask(
        "[...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title ?? '')"
    )
    assert titles
    assert not [title for title in titles if "cloud" in title.lower() or "edit" in title.lower()]
    assert browser.ask("document.querySelectorAll('.plotlyjsicon, a[href^=http]').length") == 0


def test_pointing_at_a_network_says_what_it_is(browser: Browser, report: Path) -> None:
    browser.open(report)
    browser.ask("document.getElementById('front').scrollIntoView()")
    spot = browser.ask(
        "(() => { const f = document.getElementById('front'), l = f._fullLayout,"
        " t = f._fullData.find(t => t.meta === 'front'), r = f.getBoundingClientRect();"
        " return [l.xaxis._offset + l.xaxis.d2p(t.x[0]) + r.x,"
        " l.yaxis._offset + l.yaxis.d2p(t.y[0]) + r.y, t.customdata[0]]; })()"
    )
    browser.page.mouse.move(spot[0], spot[1])
    browser.wait("document.querySelector('#front .hovertext') !== null")
    shown = browser.ask("document.querySelector('#front .hovertext').textContent")
    assert f"trial {spot[2]}" in shown
    assert "accuracy" in shown
    browser.page.mouse.click(spot[0], spot[1])
    browser.wait("!document.getElementById('picked').hidden")
    kept = browser.text("#picked")
    assert f"trial {spot[2]}" in kept
    assert "stem" in kept
    assert browser.problems() == []


def test_a_click_off_the_front_shows_what_is_known(browser: Browser, large_report: Path) -> None:
    browser.open(large_report)
    texts = browser.ask("JSON.parse(document.getElementById('front-texts').textContent)")
    # The first trial that is told at length, and the first that is not.
    for told in (True, False):
        clicked = browser.ask(
            "(() => { const f = document.getElementById('front'); for (const t of f._fullData) {"
            " if (!['dominated', 'stopped'].includes(t.meta)) continue;"
            " const texts = JSON.parse(document.getElementById('front-texts').textContent);"
            f" const at = t.customdata.findIndex(n => (n in texts) === {str(told).lower()});"
            " if (at < 0) continue;"
            " f.emit('plotly_click', { points: [{ curveNumber: t.index, pointNumber: at,"
            " customdata: t.customdata[at], hovertext: t.hovertext[at] }] });"
            " return t.customdata[at]; } })()"
        )
        assert (str(clicked) in texts) == told
        assert f"trial {clicked} " in browser.text("#picked")
        assert "parameters" in browser.text("#picked")
        assert ("stem" in browser.text("#picked")) == told
    assert browser.ask("document.querySelectorAll('#time .point').length") > 2
    assert browser.problems() == []


def test_the_front_is_walked_by_keyboard(browser: Browser, report: Path) -> None:
    browser.open(report)
    trials = browser.ask(MEMBERS)
    for key, trial in (("ArrowRight", 0), ("ArrowRight", 1), ("ArrowLeft", 0)):
        browser.page.press("#front", key)
        assert f"trial {trials[trial]} ·" in browser.text("#picked")
    browser.page.press(f"[data-trial='{trials[-1]}'][type]", "Enter")
    assert f"trial {trials[-1]} ·" in browser.text("#picked")
    assert browser.problems() == []


def test_dark_and_light_follow_the_reader_at_once(browser: Browser, report: Path) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    text = "document.getElementById('front').layout.font.color"
    browser.open(report)
    light = (browser.ask(colour), browser.ask(text))
    browser.prefer("dark")
    browser.wait(f"{text} !== '{light[1]}'")
    assert browser.ask(colour) != light[0]
    browser.prefer("light")
    browser.wait(f"{text} === '{light[1]}'")
    assert browser.problems() == []


def test_a_narrow_page_does_not_scroll_sideways(browser: Browser, report: Path) -> None:
    browser.open(report, width=390)
    browser.ask("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    for width in (390, 320):
        browser.resize(width)
        browser.wait(f"document.querySelector('#front .main-svg').clientWidth < {width}")
        for name in PLOTS:
            assert browser.ask(f"document.querySelector('#{name} .main-svg').clientWidth") < width
        assert browser.ask("document.documentElement.scrollWidth") <= width
    assert browser.problems() == []


def test_an_empty_study_is_a_clear_page(browser: Browser, empty_report: Path) -> None:
    browser.open(empty_report)
    assert "No trials yet" in browser.text("main")
    assert browser.problems() == []
