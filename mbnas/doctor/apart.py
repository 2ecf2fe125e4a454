"""Trying something in a process of its own, which may hang or die without harm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

_PROGRAM = """\
import importlib, json, sys
_, module, name, *arguments = sys.argv
print()
print(json.dumps(getattr(importlib.import_module(module), name)(*arguments)))
"""


class ApartError(Exception):
    """It did not answer; the text says how it ended."""


def apart(
    function: Callable[..., Any],
    *arguments: str,
    seconds: float,
    environment: Mapping[str, str] | None = None,
) -> Any:
    """What a function of some module gives in a new process.

    Args:
        function: Found by its module and name; gives what JSON can hold.
        *arguments: Of the function.
        seconds: Time after which the process is ended.
        environment: What differs in its environment.

    Raises:
        ApartError: it did not answer in that time, or ended with an error.
    """
    # -P and these paths: what lies in the working folder is found there only if it is found here.
    program = [sys.executable, "-P", "-c", _PROGRAM]
    try:
        ended = subprocess.run(
            [*program, function.__module__, function.__name__, *arguments],
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(environment or {})},
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise ApartError(f"no answer within {seconds:.0f} s") from None
    if ended.returncode != 0:
        last = ended.stderr.strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
        raise ApartError(last[0])
    return json.loads(ended.stdout.splitlines()[-1])
