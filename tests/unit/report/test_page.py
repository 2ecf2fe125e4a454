from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from unit.report.fakes import HOSTILE, every_status, numbered, with_trials

from mbnas.report.detail import NEIGHBOURS
from mbnas.report.groups import evaluated, front_and_below
from mbnas.report.page import page
from mbnas.search import Study


class Reader(HTMLParser):
    """What a page is made of: tags with attributes, text outside scripts, scripts by kind."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.data: dict[str, object] = {}
        self.code: list[str] = []
        self._inside: dict[str, str | None] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = dict(attrs) if tag == "script" else None

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is None:
            self.words.append(data)
        elif self._inside.get("type") == "application/json":
            self.data[str(self._inside["id"])] = json.loads(data)
        else:
            self.code.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def html(mixed: Study) -> str:
    return page(mixed)


@pytest.fixture(scope="module")
def reader(html: str) -> Reader:
    return Reader(html)


def test_names_of_a_user_appear_escaped_only(html: str, reader: Reader) -> None:
    assert HOSTILE not in html
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 4
    assert reader.text.count(HOSTILE) > 4
    assert len(reader.code) == 2
    assert not any("alert(1)" in script for script in reader.code)


def test_figures_carry_a_users_names_escaped(reader: Reader) -> None:
    for name in ("front-figure", "front-texts"):
        texts = json.dumps(reader.data[name])
        assert HOSTILE not in texts
        assert "&lt;script&gt;" in texts


def test_nothing_comes_from_another_host(reader: Reader) -> None:
    for tag, attributes in reader.tags:
        assert tag not in ("iframe", "object", "embed", "img", "base")
        for name in ("src", "href", "action", "srcset", "poster"):
            value = attributes.get(name) or ""
            assert "//" not in value
            assert "cdn" not in value
    styles = " ".join(reader.words)
    assert "url(" not in styles
    assert "@import" not in styles
    (policy,) = (
        attributes["content"]
        for tag, attributes in reader.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_plotly_stands_in_the_page_once(html: str) -> None:
    assert html.count("* plotly.js v") == 1


def test_the_head_says_what_was_searched(mixed: Study, reader: Reader) -> None:
    record = mixed.record
    for said in (
        "accuracy is of the validation part",
        f"{record.data.sizes['train']:,} train",
        f"{record.data.sizes['validation']:,} validation",
        f"{mixed.space.size:,} points",
        record.host.cpu,
        f"torch {record.versions['torch']}",
        f"{record.created:%Y-%m-%d}",
        "latency ≤\u00a00.45\u00a0ms".replace("\u00a0", " "),
    ):
        assert " ".join(said.split()) in reader.text


def test_tables_hold_every_trial_with_its_reason(mixed: Study, reader: Reader) -> None:
    rows = [attributes for tag, attributes in reader.tags if attributes.get("scope") == "row"]
    assert len(rows) == len(mixed.trials) + len(mixed.front)
    for trial in mixed.trials:
        if trial.reason:
            assert trial.reason in reader.text


def test_the_page_is_readable_by_machines_and_by_ear(reader: Reader) -> None:
    tags = [tag for tag, _ in reader.tags]
    assert tags.count("h1") == tags.count("main") == 1
    assert tags.count("figure") == tags.count("figcaption") == 8
    assert tags.count("table") == tags.count("caption") == 2
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    # An image has no parts; in a plot there are buttons.
    plots = [attributes for _, attributes in reader.tags if attributes.get("class") == "plot"]
    assert {attributes["role"] for attributes in plots} == {"group"}
    for _, attributes in reader.tags:
        for name in ("aria-labelledby", "aria-describedby"):
            assert name not in attributes or attributes[name] in ids


def test_a_study_without_trials_is_said_clearly(bare: Study) -> None:
    reader = Reader(page(bare))
    assert "No trials yet" in reader.text
    assert "figure" not in [tag for tag, _ in reader.tags]
    assert len(reader.code) == 1  # no plot, no Plotly


def test_a_study_without_a_front_is_said_clearly(all_failed: Study) -> None:
    reader = Reader(page(all_failed))
    assert "No front yet" in reader.text
    assert "NonFiniteLossError" in reader.text
    assert {name for name in reader.data if name.endswith("figure")} == {"front-figure"}


def test_a_thousand_trials_stay_small(bare: Study) -> None:
    large = with_trials(bare, numbered(every_status(bare, 250) * 4))
    assert len(page(large).encode()) < 8_000_000


def test_of_many_trials_the_fronts_neighbourhood_is_told_at_length(bare: Study) -> None:
    large = with_trials(bare, numbered(every_status(bare, 300) * 10))
    html = page(large)
    # Plotly itself is 5 MB; 10,000 trials are to stay below 12.
    plotly = len(page(with_trials(bare, every_status(bare, 6))).encode())
    assert len(html.encode()) < plotly + 0.3 * 7_000_000
    reader = Reader(html)
    near = {trial.number for trial in front_and_below(large, len(large.front) + NEIGHBOURS)}
    texts = reader.data["front-texts"]
    assert isinstance(texts, dict)
    assert {int(number) for number in texts} == near
    assert {trial.number for trial in large.front} < near
    rows = [attributes for tag, attributes in reader.tags if attributes.get("scope") == "row"]
    assert len(rows) == len(near) + len(large.front)
    assert "out of 3,000" in reader.text
    assert "the table of trials beside this report holds all" in reader.text


def test_a_small_study_is_told_whole(mixed: Study, reader: Reader) -> None:
    texts = reader.data["front-texts"]
    assert isinstance(texts, dict)
    assert {int(number) for number in texts} == {trial.number for trial in evaluated(mixed)}
    for number, text in texts.items():
        assert f"trial {number}<" in text
        assert mixed.trial(int(number)).architecture.id in text


def test_writing_twice_gives_the_same(mixed: Study, html: str) -> None:
    assert page(mixed) == html


def test_style_and_script_lie_beside_the_code() -> None:
    import mbnas.report

    folder = Path(mbnas.report.__file__).parent
    assert {"page.css", "page.js"} <= {file.name for file in folder.iterdir()}


def test_each_network_of_the_front_is_drawn_once(mixed: Study) -> None:
    drawn = page(mixed).count('<svg class="diagram"')
    assert drawn == len(mixed.front) >= 3
