"""A retarget's report: the new front beside the old one, and how the order changed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from mbnas.analysis.agreement import Agreement
from mbnas.analysis.retarget import Retarget, Retimed
from mbnas.errors import StudyError
from mbnas.files import write_atomically
from mbnas.report import words
from mbnas.report.document import document, header, plot, section, tile
from mbnas.report.figures.retarget import retarget_figure
from mbnas.report.tables import Column, table
from mbnas.report.words import QUANTITIES, digits, escaped, percent, plural
from mbnas.search import Limit

_FOOTER = (
    "Made by mbnas. Accuracies are of the validation part{}; the study is as it was. The latencies"
    " lie beside this file as <code>{}</code>."
)
_CAPTION = (
    "Each network twice, by what it took in the study (open) and what it takes now (filled), joined"
    " by a line: accuracies have not changed. Bars are 95% intervals of the new front’s latencies."
)
_BRIEF = " Grey networks that were not confirmed stand at their brief accuracies, on no front."


def write_retarget_report(found: Retarget) -> Path:
    """Writes one HTML file that works offline, beside the file that keeps the latencies.

    Returns:
        The HTML file.

    Raises:
        StudyError: it cannot be written.
    """
    path = found.file.with_suffix(".html")
    try:
        write_atomically(path, retarget_page(found).encode())
    except OSError as error:
        raise StudyError(f"{path}: the report cannot be written ({error.strerror})") from None
    return path


def retarget_page(found: Retarget) -> str:
    """The whole document."""
    ratios = [one.ratio for one in found.networks]
    agreement = found.agreement
    tiles = [
        tile("networks", f"{len(found.networks)}", f"of {found.trained} trained"),
        tile(
            "new latency",
            f"{digits(found.ratio)} ×",
            f"the old one, in the median; {digits(min(ratios))} to {digits(max(ratios))}",
        ),
        tile("order agrees", _tau(agreement), _interval(agreement)),
        tile(
            "new front",
            plural(len(found.new_front), "trial"),
            f"{len(found.joined)} joined, {len(found.left)} left",
        ),
    ]
    said = "".join(f"<p>{escaped(line)}</p>" for line in verdict(found))
    sections = [
        section("verdict", "What moved", said),
        section("fronts", "Both fronts", plot("fronts", retarget_figure(found), _caption(found))),
        section("networks", "Every network timed", _table(found)),
    ]
    name = found.study.record.name
    return document(
        f"{name} · mbnas retarget",
        header("A front on another target", name, target(found), "".join(tiles)),
        "\n".join(sections),
        _FOOTER.format(
            ", of confirmed networks as confirmed" if found.confirmed else " and of the search",
            escaped(found.file.name),
        ),
        plots=True,
    )


def _caption(found: Retarget) -> str:
    return _CAPTION + (_BRIEF if _has_brief(found) else "")


def _has_brief(found: Retarget) -> bool:
    """Whether accuracies of two kinds stand side by side."""
    return 0 < len(found.confirmed) < len(found.networks)


def target(found: Retarget) -> str:
    """What the networks were timed on, in a line."""
    host = found.host
    return (
        f"{host.cpu}, {plural(host.threads, 'thread')}, ONNX Runtime {host.onnxruntime},"
        f" {found.precision}, batch 1"
    )


def verdict(found: Retarget) -> list[str]:
    """What is different, what that did to the front and to the order, and what it does not say."""
    return list(_sentences(found))


def _sentences(found: Retarget) -> Iterator[str]:
    if found.is_repetition:
        yield (
            "This is a repetition: processor, threads, ONNX Runtime and precision are those of the"
            " study. What moved did so by chance."
        )
    else:
        yield f"Unlike in the study: {'; '.join(found.changes)}."
    if found.confirmed:
        yield _confirmed_said(found)
    yield _front_said(found)
    for number in found.left:
        yield f"Trial {number} left: {_why_left(found, number)}."
    yield from _order_said(found)
    if found.precision == "int8":
        yield (
            "The latencies are of networks in 8 bits with random weights; the accuracies are still"
            " those in 32 bits. What 8 bits cost in accuracy is not measured here."
        )
    if len(found.networks) < found.trained:
        what = "what was confirmed, the front of the search" if found.confirmed else "the front"
        yield (
            f"{len(found.networks)} of {plural(found.trained, 'trained network')} were timed,"
            f" {what} and what is within reach of it; --all times the others too."
        )
    if found.study.record.goals.cost != "latency_ms":
        yield (
            f"The search minimised {QUANTITIES[found.study.record.goals.cost].noun}; both fronts"
            " here are of latency."
        )


def _confirmed_said(found: Retarget) -> str:
    others = " The other networks have brief accuracies, and are on neither."
    return (
        f"Both fronts are of the {plural(len(found.confirmed), 'network')} that mbnas confirm"
        " trained fully, by their mean validation accuracy; the latencies of the old one are those"
        f" of the search.{others if _has_brief(found) else ''}"
    )


def _front_said(found: Retarget) -> str:
    if not found.new_front:
        return "No network that was timed is within the limits: there is no new front."
    stayed = len(found.old_front) - len(found.left)
    joined = f"; {_trials(found.joined)} joined" if found.joined else ""
    left = f"; {_trials(found.left)} left" if found.left else ""
    return (
        f"Of the {plural(len(found.old_front), 'trial')} of the old front {stayed} are on the new"
        f" one{left}{joined}."
    )


def _why_left(found: Retarget, number: int) -> str:
    why = found.why_off(number)
    if isinstance(why, Limit):
        return f"it is above the limit, {words.limit(why)}"
    timed = {one.trial.number: one for one in found.networks}
    overlap = timed[why].latency.high_ms >= timed[number].latency.low_ms
    doubt = ", though their intervals overlap" if overlap else ""
    return f"trial {why} is no less accurate and no slower now{doubt}"


def _order_said(found: Retarget) -> Iterator[str]:
    ratios = [one.ratio for one in found.networks]
    order = found.agreement
    yield (
        f"A network takes {digits(found.ratio)} times its old latency in the median"
        f" ({digits(min(ratios))} to {digits(max(ratios))})."
    )
    movers = [f"trial {one.trial.number} ({_ranks(one)})" for one in found.movers()]
    moved = f"Most moved: {', '.join(movers)}." if movers else "No rank changed."
    if math.isnan(order.tau):
        yield moved
    else:
        agree = f"{_tau(order)} {_interval(order)}".rstrip()
        yield (
            f"Of {order.networks} networks, the old order and the new one agree by {agree}. {moved}"
        )


def _trials(numbers: list[int]) -> str:
    noun = "trial" if len(numbers) == 1 else "trials"
    return f"{noun} {', '.join(map(str, numbers))}"


def _ranks(one: Retimed) -> str:
    return f"rank {one.old_rank} → {one.new_rank}"


def _tau(found: Agreement) -> str:
    return "–" if math.isnan(found.tau) else f"τ {found.tau:.2f}"


def _interval(found: Agreement) -> str:
    return "" if math.isnan(found.low) else f"({found.low:.2f}–{found.high:.2f})"


def front_place(found: Retarget, number: int) -> str:
    """What became of a trial's place on the front: `stays`, `joined`, `left`, or nothing."""
    places = {
        (True, True): "stays",
        (False, True): "joined",
        (True, False): "left",
    }
    return places.get((number in found.old_front, number in found.new_front), "")


def _table(found: Retarget) -> str:
    columns = (
        Column("trial"),
        Column("front", figures=False),
        Column(QUANTITIES[found.goals.quality].noun),
        Column("old, ms"),
        Column("new, ms"),
        Column("95% interval"),
        Column("ratio"),
        Column("old rank"),
        Column("new rank"),
    )
    rows = [_row(found, one) for one in sorted(found.networks, key=lambda one: one.new_rank)]
    caption = "From fast to slow by what they take now; ranks are by latency"
    return table("networks-table", caption, columns, rows)


def _row(found: Retarget, one: Retimed) -> list[str]:
    noisy = ' <abbr title="noisy measurement">~</abbr>' if one.latency.noisy else ""
    brief = " brief" if _has_brief(found) and one.trial.number not in found.confirmed else ""
    return [
        str(one.trial.number),
        front_place(found, one.trial.number),
        percent(one.trial.value(found.goals.quality)) + brief,
        digits(one.old_ms),
        digits(one.new_ms) + noisy,
        words.interval(one.now),
        f"{one.ratio:.2f}",
        str(one.old_rank),
        str(one.new_rank),
    ]
