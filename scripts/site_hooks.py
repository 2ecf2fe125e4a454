"""What the site needs beyond docs/: the published studies, and the API's docstrings."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pygments.formatters import HtmlFormatter

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "studies" / "published"
KINDS = {".md", ".png", ".json", ".csv", ".toml"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Takes in what is published of studies, which lies beside docs/, and the colours of code."""
    for path in sorted(PUBLISHED.rglob("*")):
        if path.suffix in KINDS:
            name = path.relative_to(ROOT).as_posix()
            files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    colours = HtmlFormatter(style="default").get_style_defs(".codehilite")
    files.append(File.generated(config, "pygments.css", content=colours))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Points links to where the site has their targets; adds docstrings to the list of names."""
    if page.file.src_uri == "api.md":
        names = re.findall(r"^\| `(\S+)` \|", markdown, flags=re.MULTILINE)
        markdown += "\n## In full\n\n" + "\n\n".join(f"::: {name}" for name in names)
    # docs/ is the site's root, and the studies lie in it.
    return re.sub(r"\]\((?:\.\./(studies/)|(\.\./\.\./)docs/)", r"](\1\2", markdown)
