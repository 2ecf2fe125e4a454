"""What tests of all rooms share."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

# No chance but the constants of what a process has imported, and no clock: a slow machine fails
# no test.
settings.register_profile(
    "tests",
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tests")
# What Triton compiles for a GPU its interpreter runs here; it is asked when it is first imported.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
# In the background of a shell Ctrl-C is ignored, and under nohup the end of a terminal, by what the
# tests start and interrupt as well.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is learnt of this machine stays among the tests, their subprocesses too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MBNAS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _own_locks() -> Iterator[None]:
    """Tests in one process never wait for the cores until those in another have measured."""
    folder = tempfile.mkdtemp(prefix="mbnas-")  # short: sockets lie there, too
    Path(folder).chmod(0o755)  # PostgreSQL runs as another user
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Modules here are tiny: one thread is quickest."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
