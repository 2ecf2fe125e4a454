"""The dashboard on large studies: how long a page, a refresh and a click take.

python scripts/bench_dashboard.py --trials 1000 10000 50000 --out dashboard.json
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, Response, sync_playwright

import mbnas
from mbnas.dashboard import make_app, served
from mbnas.measure.host import this_host
from mbnas.network import costs
from mbnas.search.folder import StudyFolder
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.trainer import Assignment

FRESH = 10
CLICKS = 10
POOL = 2000
FATES = ("trained", "trained", "trained", "stopped", "untrained", "failed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    for count in arguments.trials:
        with tempfile.TemporaryDirectory(prefix="mbnas-") as folder:
            study = Path(folder) / "large"
            make_study(study, count)
            rows.append({"trials": count, **measured(study, count, arguments.chromium)})
            print(json.dumps(rows[-1]), flush=True)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        host = this_host(1)
        content = {"cpu": host.cpu, "cores": host.cores, "rows": rows}
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")


def make_study(folder: Path, count: int) -> None:
    """A study with that many trials, none of them trained or timed."""
    space = mbnas.load_space("cifar_mobile")
    search = mbnas.Search(
        space,
        mbnas.load_data("digits"),
        study=folder,
        trainer=FakeTrainer(),
        meter=FakeLatencyMeter(),
        sampler="random",
    )
    search.run(trials=1)
    add_trials(folder, 1, count)


def add_trials(folder: Path, first: int, end: int) -> None:
    """Writes more trials' results, as a search would leave them."""
    space, files = mbnas.load_space("cifar_mobile"), StudyFolder(folder)
    rng = random.Random(first)
    pool = [fake_trial(space, at, rng).to_record() for at in range(min(POOL, end - first))]
    for number in range(first, end):
        record = {**pool[number % len(pool)], "number": number}
        record["latency"] = dict(record["latency"])
        for name in ("latency_ms", "low_ms", "high_ms"):  # no two alike
            record["latency"][name] *= 1 + 0.2 * (number / end)
        if record["accuracy"] is not None:
            record["accuracy"] *= rng.uniform(0.9, 1.0)
        target = files.trial_folder(number)
        target.mkdir(parents=True, exist_ok=True)
        aside = target / "result.json.new"
        aside.write_text(json.dumps(record))
        aside.rename(target / "result.json")


def fake_trial(space: mbnas.SearchSpace, number: int, rng: random.Random) -> mbnas.Trial:
    params = space.sample(rng)
    network = space.architecture(params)
    (latency,) = FakeLatencyMeter().measure([network], 10)
    curve = FakeTrainer(epochs=4).train(Assignment(network, 0), lambda _: None).curve
    trial = mbnas.Trial(
        number=number,
        params=params,
        architecture=network,
        status="trained",
        costs=costs(network.lower(10)),
        latency=latency,
        training_seconds=20.0,
        latency_seconds=0.6,
    )
    match FATES[number % len(FATES)]:
        case "trained":
            return replace(trial, accuracy=curve[-1].accuracy, curve=curve)
        case "stopped":
            return replace(trial, status="stopped", curve=curve[:2], reason="would not reach it")
        case "untrained":
            return replace(trial, status="untrained", reason="latency_ms is above the limit")
        case _:
            return replace(trial, status="failed", reason="NonFiniteLossError: the loss is nan")


def measured(study: Path, count: int, chromium: str) -> dict[str, float]:
    """Seconds of everything that the page is held to."""
    start = time.perf_counter()
    app = make_app([study])
    found = {"start_seconds": time.perf_counter() - start}
    with served(app) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--disable-gpu"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto("about:blank")
        found |= opened(page, address)
        found |= refreshed(page, study, count)
        found |= clicked(page)
        browser.close()
    return found


# Noted by the page itself: whoever asks from outside is kept waiting while it is busy.
_WATCH = """
const seen = {};
const watch = new MutationObserver(() => {
  if (!seen.shell && document.getElementById("view")) seen.shell = performance.now();
  if (!seen.plot && document.querySelectorAll("#front .point").length > 100) {
    requestAnimationFrame(() => { seen.plot ??= performance.now(); });
  }
});
window.seen = seen;
watch.observe(document, { childList: true, subtree: true });
"""


def opened(page: Page, address: str) -> dict[str, float]:
    page.add_init_script(_WATCH)
    page.goto(address)
    page.wait_for_function("() => window.seen.plot", timeout=120_000)
    seen = page.evaluate("() => window.seen")
    return {"shell_seconds": seen["shell"] / 1000, "plot_seconds": seen["plot"] / 1000}


def refreshed(page: Page, study: Path, count: int) -> dict[str, float]:
    settled(page)
    add_trials(study, count, count + FRESH)
    with server_seconds(page) as spent:
        start = time.perf_counter()
        page.wait_for_function(
            "count => document.getElementById('tiles').innerText.includes(count)",
            arg=f"{count + FRESH:,}",
            timeout=60_000,
        )
        seen = time.perf_counter() - start
        settled(page)
        busy, longest = spent()
    return {
        "refresh_server_seconds": busy,
        "refresh_longest_request_seconds": longest,
        "refresh_seen_seconds": seen,
    }


def clicked(page: Page) -> dict[str, float]:
    found = []
    for _ in range(CLICKS):
        with server_seconds(page) as spent:
            page.focus("#front-walk")
            page.keyboard.press("ArrowLeft")
            settled(page)
            found.append(spent())
    busy, longest = zip(*found, strict=True)
    return {
        "click_server_seconds": median(busy),
        "click_server_seconds_most": max(busy),
        "click_longest_request_seconds": median(longest),
    }


@contextlib.contextmanager
def server_seconds(page: Page) -> Iterator[Callable[[], tuple[float, float]]]:
    """Processor seconds that the server spent, all requests together, and its longest request."""
    requests: list[float] = []

    def keep(response: Response) -> None:
        if "_dash-update" in response.url:
            timing = response.request.timing
            requests.append((timing["responseStart"] - timing["requestStart"]) / 1000)

    page.on("response", keep)
    start = time.process_time()
    yield lambda: (time.process_time() - start, max(requests, default=0.0))
    page.remove_listener("response", keep)


def settled(page: Page) -> None:
    """Until nothing has been asked of the server for a while."""
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main()
