"""A search's own side of steering: it hears wishes, says how it goes, and holds its jobs back."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from mbnas.engine import Engine, Job, LaidDown, Measure, Outcome
from mbnas.errors import StudyError
from mbnas.files import write_atomically
from mbnas.search.budget import Budget, Spent
from mbnas.search.events import Observer
from mbnas.search.holder import Process
from mbnas.search.record import now
from mbnas.search.steering import (
    PROGRESS_FILE,
    WISH_FILE,
    InEvaluation,
    Progress,
    State,
    read_wish,
)
from mbnas.training.trainer import Epoch

LOOK_SECONDS = 0.5
"""Between two looks for a wish, and between two writings of progress.json."""
HEARTBEAT_SECONDS = 15.0
"""After so long without news, progress.json is written all the same."""
REST_SECONDS = 0.2


class Steering:
    """A search's side of it: hears wishes, and keeps progress.json.

    Both in a thread of its own: the driver says nothing for minutes while a network is trained,
    and no writing slows it.

    Args:
        folder: The study's.
        budget: The search's.
        epochs: Of a whole training.
        observer: Hears when the search pauses, goes on and stops.
    """

    def __init__(self, folder: Path, budget: Budget, epochs: int, observer: Observer) -> None:
        self._wish_file, self._progress_file = folder / WISH_FILE, folder / PROGRESS_FILE
        self._budget, self._epochs, self._observer = budget, epochs, observer
        self._process = Process.this()
        self._state: State = "searching"
        self._told: State = "searching"
        self._open: Mapping[int, InEvaluation] = {}  # replaced, not changed: the thread reads it
        self._before = self._spent = Spent(0, 0, 0.0)
        self._interrupted = False
        self._began, self._started, self._rested = now(), time.monotonic(), 0.0
        self._ending = threading.Event()

    @contextlib.contextmanager
    def running(self, before: Spent) -> Iterator[None]:
        """While the context lasts, the study is said to be searched, and wishes are heard.

        Args:
            before: What earlier searches have used up.
        """
        self._before = self._spent = before
        self._began, self._started = now(), time.monotonic()
        for left in self._progress_file.parent.glob(f".{PROGRESS_FILE}.*"):  # by a kill
            left.unlink(missing_ok=True)
        try:
            self._wish_file.unlink(missing_ok=True)  # of an earlier search
        except OSError as error:
            raise StudyError(
                f"{self._wish_file}: cannot be removed ({error.strerror}); remove it"
            ) from None
        self._write()
        thread = threading.Thread(target=self._watch, name="mbnas-steering", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ending.set()
            thread.join()
            self._state, self._open = "ended", {}
            self._write()
            self._wish_file.unlink(missing_ok=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the search began, those left out in which it waited while paused."""
        return time.monotonic() - self._started - self._rested

    def heed(self) -> State:
        """What is wished, for the driver; the observer hears of a change."""
        # A wish that is read in the moment of a Ctrl-C must not undo it.
        state: State = "stopping" if self._interrupted else self._state
        if state != self._told:
            self._told = state
            match state:
                case "paused":
                    self._observer.search_paused()
                case "searching":
                    self._observer.search_resumed()
                case _:
                    self._observer.search_stopped()
        return state

    def interrupt(self) -> None:
        """Ends the search as soon as all trainings are laid down; called by a signal."""
        self._interrupted = True
        self._state = self._told = "stopping"
        self._observer.search_interrupted()

    @property
    def is_interrupted(self) -> bool:
        """Whether all trainings are to be laid down."""
        return self._interrupted

    def rest(self) -> None:
        """Waits a moment, paused."""
        start = time.monotonic()
        time.sleep(REST_SECONDS)
        self._rested += time.monotonic() - start

    def submitted(self, job: Job) -> None:
        """A trial is measured or trained next."""
        if isinstance(job, Measure):
            entry = InEvaluation(job.trial, job.architecture.id, None, self._epochs)
        else:
            known = self._open.get(job.trial)
            done = (known and known.epoch) or 0
            entry = InEvaluation(job.trial, job.assignment.architecture.id, done, self._epochs)
        self._open = {**self._open, job.trial: entry}

    def epoch_ended(self, number: int, epoch: Epoch) -> None:
        """A trial's training came one epoch further."""
        entry = replace(self._open[number], epoch=epoch.epoch)
        self._open = {**self._open, number: entry}

    def trial_ended(self, number: int) -> None:
        """A trial is at its end, though perhaps not on record yet."""
        self._open = {other: entry for other, entry in self._open.items() if other != number}

    def trial_told(self, spent: Spent) -> None:
        """A trial is on record; so much is used up by all."""
        self._spent = spent

    def _watch(self) -> None:
        said, when = None, time.monotonic()
        while not self._ending.wait(LOOK_SECONDS):
            wished = read_wish(self._wish_file)
            if wished is not None and self._state != "stopping":
                self._state = wished
            news = (self._state, self._spent, self._open)
            if news != said or time.monotonic() - when > HEARTBEAT_SECONDS:
                self._write()
                said, when = news, time.monotonic()

    def _write(self) -> None:
        now_spent = replace(self._spent, seconds=self.elapsed)
        progress = Progress(
            **asdict(self._process),
            state=self._state,
            began=self._began,
            written=now(),
            trials=self._budget.trials,
            seconds=self._budget.seconds,
            epochs=self._budget.epochs,
            evaluated=self._spent.trials,
            elapsed=self.elapsed,
            seconds_left=self._budget.seconds_left(self._before, now_spent),
            in_evaluation=tuple(self._open.values()),
        )
        # A disk that is full is told of by the trials' own files.
        with contextlib.suppress(OSError):
            write_atomically(self._progress_file, progress.to_json())


class Gate:
    """An engine that is given nothing new while its search is paused, and is halted when asked.

    Args:
        engine: Evaluates.
        steering: Knows of pauses.
    """

    def __init__(self, engine: Engine, steering: Steering) -> None:
        self._engine, self._steering = engine, steering
        self._held: deque[Job] = deque()
        self._inside = 0
        self._halted = False

    @property
    def capacity(self) -> int:
        """The engine's."""
        return self._engine.capacity

    def submit(self, job: Job) -> None:
        """Gives a job to the engine, or keeps it until the search goes on."""
        self._held.append(job)
        self._let_in()

    def wait(self, on_epoch: Callable[[int, Epoch], None]) -> Outcome:
        """The engine's next outcome; while all jobs are held, waits for the search to go on."""

        def heard(number: int, epoch: Epoch) -> None:
            self._steering.epoch_ended(number, epoch)
            on_epoch(number, epoch)
            self._steering.heed()  # so that the observer hears of a wish in the middle of a rung
            self._let_in()

        self._let_in()
        while not self._inside:
            if self._halted:
                return LaidDown(self._held.popleft().trial)
            self._steering.rest()
            self._let_in()
        self._inside -= 1
        return self._engine.wait(heard)

    def halt(self) -> None:
        """Halts the engine; what is held is not begun."""
        self._halted = True
        self._engine.halt()

    def close(self) -> None:
        """Closes the engine."""
        self._engine.close()

    def _let_in(self) -> None:
        if self._steering.is_interrupted and not self._halted:
            self.halt()
        while self._held and not self._halted and self._steering.heed() != "paused":
            job = self._held.popleft()
            self._steering.submitted(job)
            self._engine.submit(job)
            self._inside += 1
