"""The dashboard as its users meet it."""

from __future__ import annotations

import io
import json
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from browser.pages import shown, visited
from helpers import run_mbnas
from playwright.sync_api import Browser
from unit.report.fakes import every_status, searched

from mbnas.search import Study, open_study
from mbnas.search.watched import WatchedStudy

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Sixty trials of every status."""
    made = searched(tmp_path_factory.mktemp("studies") / "shown")
    for trial in every_status(made, 60)[1:]:
        made.folder.write_trial(trial, {}, None)
    return made


@pytest.fixture(scope="module")
def address(study: Study) -> Iterator[str]:
    with shown(study.folder.path) as found:
        yield found


@pytest.fixture(scope="module")
def members(study: Study) -> list[int]:
    """The front's trials, from cheap to costly."""
    watched = WatchedStudy(study.folder.path)
    assert watched.look()
    return [trial.number for trial in watched.study.front]


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (1400, "dark"), (390, "dark")])
def test_every_view_is_drawn(chrome: Browser, address: str, width: int, scheme: str) -> None:
    with visited(chrome, address, width=width, scheme=scheme) as visit:
        visit.drawn()
        visit.see("#tiles", "most accurate")
        for view, places in (
            ("What it learned", ("hypervolume", "choices", "importance", "parallel", "time")),
            ("Every trial", ()),
            ("About", ()),
        ):
            visit.page.click(f"#view label:has-text('{view}')")
            for place in places:
                visit.drawn(place)
            narrow = "() => document.documentElement.scrollWidth <= innerWidth"
            visit.until(narrow)
        visit.see("#facts", "FrontReach")
        dark = visit.ask("() => getComputedStyle(document.body).backgroundColor")
        assert (dark == "rgb(14, 16, 19)") == (scheme == "dark")
        colour = "() => document.querySelector('#front .js-plotly-plot').layout.font.color"
        assert (visit.ask(colour) == "#e8eaed") == (scheme == "dark")


def test_a_network_is_opened_by_a_click_and_by_keys(
    chrome: Browser, address: str, members: list[int]
) -> None:
    with visited(chrome, address) as visit:
        visit.drawn()
        visit.click_trial(members[1])
        visit.see("#network-page", f"trial {members[1]} ·")
        assert visit.page.locator("#network-page svg.diagram").count() == 1
        visit.drawn("curve")
        visit.drawn("latency")
        visit.at_address_of(members[1])
        visit.page.focus("#front-walk")
        visit.page.keyboard.press("ArrowRight")
        visit.see("#network-page", f"trial {members[2]} ·")
        visit.page.keyboard.press("ArrowLeft")
        visit.see("#network-page", f"trial {members[1]} ·")
        neighbour = visit.page.locator("#neighbours-table button").first
        number = neighbour.inner_text()
        neighbour.click()
        visit.see("#network-page", f"trial {number} ·")
        visit.at_address_of(int(number))
        assert f"--pick trial:{number}" in visit.text("#export-command")
        visit.page.go_back()
        visit.see("#network-page", f"trial {members[1]} ·")
    with visited(chrome, address, path=f"?study=shown&trial={members[0]}") as visit:
        visit.see("#network-page", f"trial {members[0]} ·")


@pytest.mark.parametrize(
    "query", ["?trial=99999", "?trial=../../study", "?study=../etc&trial=1", "?trial=1e9", "?x"]
)
def test_an_address_that_names_nothing_opens_nothing(
    chrome: Browser, address: str, query: str
) -> None:
    with visited(chrome, address, path=query) as visit:
        visit.drawn()
        assert visit.page.locator("#network-shown").is_hidden()


def test_two_networks_are_pinned_side_by_side(
    chrome: Browser, address: str, members: list[int]
) -> None:
    with visited(chrome, address) as visit:
        visit.drawn()
        for number in (members[0], members[-1]):
            visit.click_trial(number)
            visit.see("#network-page", f"trial {number} ·")
            visit.page.click("#pin")
        visit.see("#comparison", "choices differ")
        assert visit.page.locator("#comparison svg.diagram").count() == 2
        assert visit.page.locator("#comparison mark").count() >= 2
        visit.page.click("#unpin")
        visit.page.wait_for_selector("#pinned-shown", state="hidden")


def test_the_budget_says_what_more_would_buy(
    chrome: Browser, address: str, members: list[int]
) -> None:
    with visited(chrome, address) as visit:
        visit.drawn()
        visit.see("#budget-said", "the best is")
        slider = visit.page.locator("#budget [role=slider]")
        slider.focus()
        visit.page.keyboard.press("Home")
        visit.see("#budget-said", f"the cheapest is trial {members[0]}:")
        visit.page.keyboard.press("End")
        visit.see("#budget-said", f"the best is trial {members[-1]}:")
        visit.see("#budget-said", "Nothing on the front is more accurate")
        visit.page.click("#open-best")
        visit.see("#network-page", f"trial {members[-1]} ·")


def test_axes_are_switched(chrome: Browser, address: str) -> None:
    with visited(chrome, address) as visit:
        visit.drawn()
        title = "() => document.querySelector('#front .js-plotly-plot').layout.{}.title.text"
        assert "latency" in visit.ask(title.format("xaxis"))
        visit.choose("x-axis", "parameters")
        visit.until("() => document.querySelector('#front .xtitle')?.textContent.includes('param')")
        visit.page.click("#logs label:has-text('log x')")
        visit.until(
            "() => document.querySelector('#front .js-plotly-plot').layout.xaxis.type === 'log'"
        )
        visit.choose("y-axis", "latency (ms)")
        visit.until(
            "() => document.querySelector('#front .ytitle').textContent.includes('latency')"
        )


def test_the_front_as_it_was(chrome: Browser, address: str) -> None:
    with visited(chrome, address) as visit:
        visit.page.click("#view label:has-text('What it learned')")
        visit.drawn("front-then")
        points = "() => document.querySelectorAll('#front-then .point').length"
        all_ = visit.ask(points)
        visit.page.locator("#as-of [role=slider]").focus()
        visit.page.keyboard.press("Home")
        visit.until(f"before => ({points})() < before", all_)
        visit.page.click("#over label:has-text('training time')")
        visit.until(
            "() => document.querySelector('#hypervolume .xtitle')?.textContent.includes('training')"
        )


def test_the_table_is_sorted_sifted_and_turned(chrome: Browser, address: str) -> None:
    with visited(chrome, address) as visit:
        visit.page.click("#view label:has-text('Every trial')")
        visit.see("#trials-table", "60 of 60 trials, page 1 of 2")
        visit.page.click("#page-after")
        visit.see("#trials-table", "page 2 of 2")
        visit.page.click("#page-after", click_count=3)
        visit.page.click("#page-before")
        visit.see("#trials-table", "page 1 of 2")
        visit.choose("which", "failed")
        visit.see("#trials-table", "page 1 of 1")
        assert "<script>alert(1)</script>" in visit.text("#trials-table")
        visit.page.locator("#trials-table button").first.click()
        visit.page.click("#view label:has-text('The front')")
        visit.see("#network-page", "failed")


def test_controls_are_found_by_their_names(chrome: Browser, address: str) -> None:
    with visited(chrome, address) as visit:
        visit.drawn()
        for name, place in (
            ("study", "#study"),
            ("across", "#x-axis"),
            ("budget", "[role=slider]"),
        ):
            visit.page.get_by_role("group", name=name, exact=True).locator(place).wait_for()


def test_a_network_is_taken_home_and_runs(chrome: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "real"
    made = run_mbnas(
        *("search", "digits_tiny", "--data", "digits", "--study", folder),
        *("--trials", 2, "--epochs", 1, "--device", "cpu"),
    )
    assert made.returncode == 0, made.stderr
    trial = open_study(folder).front[0]
    with shown(folder) as address, visited(chrome, address) as visit:
        visit.drawn()
        visit.click_trial(trial.number)
        visit.see("#network-page", f"trial {trial.number} ·")
        visit.page.click("#profile-it")
        visit.drawn("stages")
        with visit.page.expect_download() as download:
            visit.page.click("#export")
        visit.see("#export-said", "agree within")
        with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as bundle:
            root = f"trial-{trial.number}"
            assert {name.partition("/")[2] for name in bundle.namelist()} >= {
                "model.onnx",
                "CARD.md",
                "weights.safetensors",
            }
            session = onnxruntime.InferenceSession(bundle.read(f"{root}/model.onnx"))
        labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
        size = trial.architecture.resolution
        (logits,) = session.run(None, {"image": np.zeros((3, 3, size, size), np.float32)})
        assert logits.shape == (3, len(labels))


def test_several_studies_are_laid_over_one_another(
    chrome: Browser, study: Study, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(study.folder.path, other)
    for number in range(0, 60, 2):
        shutil.rmtree(other / "trials" / f"{number:05d}", ignore_errors=True)
    with shown(study.folder.path, other) as address, visited(chrome, address) as visit:
        visit.page.click("#view label:has-text('Studies')")
        visit.drawn("fronts")
        visit.see("#studies-table", "other")
        assert visit.page.locator("#studies-table tbody tr").count() == 2
        visit.page.click("#view label:has-text('The front')")
        visit.choose("study", "other")
        visit.see("#tiles", "networks evaluated")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shutil.rmtree, "no such folder"),
        (lambda folder: (folder / "study.json").write_text("{"), "study.json: damaged"),
        (lambda folder: (folder / "study.json").unlink(), "not a study"),
        (lambda folder: (folder / "space.toml").write_text("<b>"), "space.toml"),
        (lambda folder: shutil.rmtree(folder / "trials"), ""),
        (
            lambda folder: (folder / "trials" / "00003" / "result.json").write_text("<script>"),
            "00003/result.json: damaged",
        ),
    ],
    ids=["missing", "damaged", "foreign", "space", "empty", "trial"],
)
def test_what_cannot_be_shown_is_a_clear_page(
    chrome: Browser,
    study: Study,
    tmp_path: Path,
    damage: Callable[[Path], object],
    said: str,
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(study.folder.path, folder)
    damage(folder)
    with shown(folder) as address, visited(chrome, address) as visit:
        if said:
            visit.see("#problems", said)
        else:
            visit.see("#front", "no trial has finished yet")
        for view in ("What it learned", "Every trial", "About", "The front"):
            visit.page.click(f"#view label:has-text('{view}')")
        assert "Traceback" not in visit.ask("() => document.body.innerText")


def test_the_command_serves_until_it_is_interrupted(
    chrome: Browser, study: Study, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "mbnas", "dashboard", str(study.folder.path)]
    with subprocess.Popen(
        [*command, "--port", "0", "--no-browser"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = line.split()[1]
        with visited(chrome, address) as visit:
            visit.drawn()
        process.send_signal(2)
        assert process.wait(30) == 0


def test_a_zoom_into_thousands_parts_what_lay_on_one_another(
    chrome: Browser, study: Study, members: list[int], tmp_path: Path
) -> None:
    folder = tmp_path / "thousands"
    shutil.copytree(study.folder.path, folder)
    there = folder / "trials" / f"{members[-1]:05d}" / "result.json"
    record = json.loads(there.read_text())
    rng = random.Random(0)
    for number in range(60, 1500):
        accuracy = rng.uniform(0.5, 0.52)
        record |= {"number": number, "accuracy": accuracy, "status": "trained", "reason": None}
        (folder / "trials" / f"{number:05d}").mkdir()
        (folder / "trials" / f"{number:05d}" / "result.json").write_text(json.dumps(record))
    with shown(folder) as address, visited(chrome, address) as visit:
        visit.drawn()
        visit.see("#front", "dominated (1,4")
        count = (
            "() => document.querySelector('#front .js-plotly-plot')._fullData"
            ".find(t => t.meta === 'dominated').x.length"
        )
        before = visit.ask(count)
        assert before < 300
        spot = visit.place(60)
        visit.page.mouse.move(spot[0] - 60, spot[1] - 40)
        visit.page.mouse.down()
        visit.page.mouse.move(spot[0] + 60, spot[1] + 40, steps=4)
        visit.page.mouse.up()
        visit.until(f"before => ({count})() > before", before)
        visit.page.click("#front [data-title='Autoscale']")
        visit.until(f"before => ({count})() === before", before)
