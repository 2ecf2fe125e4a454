"""How a search goes at this moment, in a line of HTML."""

from __future__ import annotations

from mbnas.report.words import escaped, plural, span
from mbnas.search import Study, is_paid
from mbnas.search.steering import Progress

_SAID = {
    "searching": "searching",
    "paused": "paused: nothing new begins",
    "stopping": "stopping as soon as what is in evaluation has ended",
}


def state_line(study: Study | None, progress: Progress | None) -> str:
    """What runs, how far it has come and how long it will take; or that nothing runs."""
    if study is None:
        return "<p>no study to show yet</p>"
    done = sum(is_paid(trial) for trial in study.trials)
    if progress is None or not progress.is_alive:
        return f"<p><b>no search is running</b> · {plural(done, 'trial')} evaluated</p>"
    wanted = "" if progress.trials is None else f" of {progress.trials:,}"
    parts = [f"<b>{_SAID.get(progress.state, progress.state)}</b>", f"{done:,}{wanted} evaluated"]
    if progress.seconds_left is not None and progress.state == "searching":
        parts.append(f"about {span(progress.seconds_left)} left")
    for one in progress.in_evaluation:
        epoch = "being measured" if one.epoch is None else f"epoch {one.epoch} of {one.epochs}"
        parts.append(f"trial {one.number}: {epoch}")
    return f"<p>{' · '.join([parts[0], *map(escaped, parts[1:])])}</p>"
