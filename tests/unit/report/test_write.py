from __future__ import annotations

from pathlib import Path

import pandas
import pytest
from pandas.testing import assert_frame_equal

from mbnas.errors import StudyError
from mbnas.report import write_report
from mbnas.search import Study


def test_by_default_it_lies_in_the_studys_folder(mixed: Study) -> None:
    written = write_report(mixed)
    assert written == mixed.folder.report_file
    assert written.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert (mixed.folder.path / "front.csv").exists()
    assert (mixed.folder.path / "trials.csv").exists()


def test_the_tables_read_back_equal(mixed: Study, tmp_path: Path) -> None:
    write_report(mixed, tmp_path / "new" / "page.html")
    for name, expected in (
        ("page-front.csv", mixed.front_dataframe()),
        ("page-trials.csv", mixed.to_dataframe()),
    ):
        read = pandas.read_csv(
            tmp_path / "new" / name,
            keep_default_na=False,
            na_values=[""],
            dtype={"id": str},
        )
        for table in (read, expected):
            assert list(table.columns) == list(expected.columns)
        normal = [t.astype(object).where(t.notna(), None) for t in (read, expected)]
        assert_frame_equal(*normal, check_dtype=False, rtol=1e-14)


def test_two_reports_in_one_folder_keep_their_tables(
    mixed: Study, bare: Study, tmp_path: Path
) -> None:
    write_report(mixed, tmp_path / "report.html")
    written = write_report(bare, tmp_path / "<a>.html").read_text(encoding="utf-8")
    assert "<code>&lt;a&gt;-front.csv</code> and <code>&lt;a&gt;-trials.csv</code>" in written
    assert {file.name for file in tmp_path.iterdir()} == {
        *("report.html", "front.csv", "trials.csv"),
        *("<a>.html", "<a>-front.csv", "<a>-trials.csv"),
    }
    assert len(pandas.read_csv(tmp_path / "trials.csv")) == len(mixed.trials)
    assert len(pandas.read_csv(tmp_path / "<a>-trials.csv")) == 0
    said = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<code>front.csv</code> and <code>trials.csv</code>" in said


def test_tables_without_rows_have_their_columns(bare: Study, mixed: Study, tmp_path: Path) -> None:
    write_report(bare, tmp_path / "report.html")
    for name in ("front.csv", "trials.csv"):
        read = pandas.read_csv(tmp_path / name)
        assert len(read) == 0
        assert list(read.columns) == list(mixed.to_dataframe().columns)


def test_a_place_that_cannot_be_written_is_said(bare: Study, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match=r"report\.html: the report cannot be written"):
        write_report(bare, tmp_path / "file" / "report.html")


def test_a_folder_that_is_there_is_where_the_report_goes(bare: Study, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    assert write_report(bare, tmp_path / "pages") == tmp_path / "pages" / "report.html"
    assert {file.name for file in tmp_path.iterdir()} == {"pages"}
    assert write_report(bare, bare.folder.path) == bare.folder.report_file


@pytest.mark.parametrize("name", ["study.json", "study.db", "trials/00000/result.json", "notes"])
def test_the_studys_own_files_are_not_written_over(name: str, bare: Study, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(bare.folder.path)
    before = {file: file.read_bytes() for file in bare.folder.path.rglob("*") if file.is_file()}
    for folder in (bare.folder.path, bare.folder.path / "trials" / "..", tmp_path / "link"):
        with pytest.raises(StudyError, match=r"study's own files, and is no \.html file"):
            write_report(bare, folder / name)
    after = {file: file.read_bytes() for file in bare.folder.path.rglob("*") if file.is_file()}
    assert after == before


def test_another_page_may_lie_in_the_studys_folder(bare: Study) -> None:
    page = bare.folder.path / "draft.HTML"
    assert write_report(bare, page) == page
    assert page.with_name("draft-front.csv").exists()
