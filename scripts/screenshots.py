"""Every view of the dashboard as a picture: light and dark, wide and as wide as a phone."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from mbnas.dashboard import make_app, served

VIEWS = {
    "learned": "What it learned",
    "trials": "Every trial",
    "studies": "Studies",
    "about": "About",
}
SETTLE_MS = 1500
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1400, "height": 1000}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1400, "height": 1000}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "color_scheme": "light",
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="a folder")
    parser.add_argument("studies", metavar="STUDY", type=Path, nargs="+")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    several = len(arguments.studies) > 1
    with served(make_app(arguments.studies)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--disable-gpu"])
        for look, options in LOOKS.items():
            pictures(browser, address, options, arguments.out, look, several)
        browser.close()


def pictures(
    browser: Browser, address: str, options: dict[str, Any], out: Path, look: str, several: bool
) -> None:
    page = browser.new_page(**options)
    page.goto(address)
    page.wait_for_selector("#front .point")
    taken(page, out / f"front-{look}.png")
    page.click("#open-best")
    page.wait_for_selector("#network-page svg")
    page.click("#pin")
    page.focus("#front-walk")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(SETTLE_MS)
    page.click("#pin")
    page.wait_for_timeout(SETTLE_MS)
    page.evaluate("() => window.scrollTo(0, 0)")
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=out / f"first-{look}.png")
    taken(page, out / f"network-{look}.png")
    for view, label in VIEWS.items():
        if view != "studies" or several:
            page.click(f"#view label:has-text('{label}')")
            taken(page, out / f"{view}-{look}.png")
    page.close()


def taken(page: Page, file: Path) -> None:
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=file, full_page=True)
    print(file)


if __name__ == "__main__":
    main()
