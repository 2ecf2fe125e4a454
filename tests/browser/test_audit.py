"""An audit's report as a reader meets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.conftest import Browser
from unit.analysis.test_audit import EPOCHS, made_up

from mbnas.analysis.audit import audited
from mbnas.report.audit_page import write_audit_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    audit = audited(made_up(noise_of_short=0.02), EPOCHS, "accuracy")
    return write_audit_report(audit, tmp_path_factory.mktemp("audit"), "made up")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_it_is_drawn_from_this_file_alone(
    browser: Browser, page: Path, width: int, scheme: str
) -> None:
    browser.requests()
    browser.open(page, width, scheme)
    for name in ("agreement", "pairs"):
        assert browser.ask(f"document.querySelectorAll('#{name} .point').length") > 10
    assert browser.ask("document.documentElement.scrollWidth") <= width
    own = [url for url in browser.requests() if not url.startswith(("data:", "blob:"))]
    assert own == [page.as_uri()]
    assert browser.problems() == []
    rows = browser.ask("document.querySelectorAll('#audit-table tbody tr').length")
    assert rows == 2 + 2 + 2 * (EPOCHS - 1)
    text = browser.ask("document.getElementById('verdict-section').innerText")
    assert "Train each network for 2 epochs" in text
