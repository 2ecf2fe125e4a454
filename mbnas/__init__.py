"""mbnas: hardware-aware neural architecture search over mobile blocks.

    import mbnas

    space = mbnas.load_space("search_spaces/cifar_mobile.toml")
    search = mbnas.Search(space, mbnas.load_data("folder:photos"), study="studies/photos")
    study = search.run(trials=40)
    mbnas.write_report(study)
    mbnas.export(study, "bundle", pick="knee")

Names are loaded when they are first used: `import mbnas` loads no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mbnas.analysis.audit import Audit
    from mbnas.analysis.audit_record import AuditPlan
    from mbnas.analysis.auditing import audit
    from mbnas.analysis.baselines import Baselines, baselines, open_baselines
    from mbnas.analysis.confirm import confirm, open_confirmation
    from mbnas.analysis.confirmation import Confirmation
    from mbnas.analysis.retarget import Retarget
    from mbnas.analysis.retargeting import retarget
    from mbnas.bundle import Bundle, export, pick
    from mbnas.cli.progress import progress
    from mbnas.data import Dataset, load_data
    from mbnas.errors import (
        BuildError,
        DataError,
        ExportError,
        MbnasError,
        MeasureError,
        SpaceError,
        StudyError,
    )
    from mbnas.measure.calibration import (
        Calibration,
        calibrate,
        find_calibration,
        load_calibration,
    )
    from mbnas.measure.latency import Latency, OrtLatencyMeter
    from mbnas.measure.networks import open_network
    from mbnas.measure.onnx_file import to_onnx
    from mbnas.measure.predictor import LatencyPredictor
    from mbnas.model import build
    from mbnas.network import Architecture, Fusion, Head, Stage, Stem, costs, reference
    from mbnas.report import write_report
    from mbnas.report.audit_page import write_audit_report
    from mbnas.report.retarget_page import write_retarget_report
    from mbnas.search import (
        Limit,
        Search,
        Study,
        Trial,
        hypervolume,
        knee,
        maximize,
        minimize,
        open_study,
        pause_search,
        resume_search,
        stop_search,
    )
    from mbnas.search.copying import copy_study
    from mbnas.search.pruning import Freed, prune_study
    from mbnas.space import SearchSpace, load_space, make_space
    from mbnas.training.recipe import Recipe
    from mbnas.training.recipe_file import load_recipe
    from mbnas.training.torch_trainer import TorchTrainer

_ROOMS = {
    "mbnas.analysis.audit": ("Audit",),
    "mbnas.analysis.audit_record": ("AuditPlan",),
    "mbnas.analysis.auditing": ("audit",),
    "mbnas.analysis.baselines": ("Baselines", "baselines", "open_baselines"),
    "mbnas.analysis.confirm": ("confirm", "open_confirmation"),
    "mbnas.analysis.confirmation": ("Confirmation",),
    "mbnas.analysis.retarget": ("Retarget",),
    "mbnas.analysis.retargeting": ("retarget",),
    "mbnas.bundle": ("Bundle", "export", "pick"),
    "mbnas.cli.progress": ("progress",),
    "mbnas.data": ("Dataset", "load_data"),
    "mbnas.errors": (
        "BuildError",
        "DataError",
        "ExportError",
        "MbnasError",
        "MeasureError",
        "SpaceError",
        "StudyError",
    ),
    "mbnas.measure.calibration": (
        "Calibration",
        "calibrate",
        "find_calibration",
        "load_calibration",
    ),
    "mbnas.measure.latency": ("Latency", "OrtLatencyMeter"),
    "mbnas.measure.networks": ("open_network",),
    "mbnas.measure.onnx_file": ("to_onnx",),
    "mbnas.measure.predictor": ("LatencyPredictor",),
    "mbnas.training.recipe": ("Recipe",),
    "mbnas.training.recipe_file": ("load_recipe",),
    "mbnas.training.torch_trainer": ("TorchTrainer",),
    "mbnas.model": ("build",),
    "mbnas.network": ("Architecture", "Fusion", "Head", "Stage", "Stem", "costs", "reference"),
    "mbnas.report": ("write_report",),
    "mbnas.report.audit_page": ("write_audit_report",),
    "mbnas.report.retarget_page": ("write_retarget_report",),
    "mbnas.search": (
        "Limit",
        "Search",
        "Study",
        "Trial",
        "hypervolume",
        "knee",
        "maximize",
        "minimize",
        "open_study",
        "pause_search",
        "resume_search",
        "stop_search",
    ),
    "mbnas.search.copying": ("copy_study",),
    "mbnas.search.pruning": ("Freed", "prune_study"),
    "mbnas.space": ("SearchSpace", "load_space", "make_space"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Architecture",
    "Audit",
    "AuditPlan",
    "Baselines",
    "BuildError",
    "Bundle",
    "Calibration",
    "Confirmation",
    "DataError",
    "Dataset",
    "ExportError",
    "Freed",
    "Fusion",
    "Head",
    "Latency",
    "LatencyPredictor",
    "Limit",
    "MbnasError",
    "MeasureError",
    "OrtLatencyMeter",
    "Recipe",
    "Retarget",
    "Search",
    "SearchSpace",
    "SpaceError",
    "Stage",
    "Stem",
    "Study",
    "StudyError",
    "TorchTrainer",
    "Trial",
    "audit",
    "baselines",
    "build",
    "calibrate",
    "confirm",
    "copy_study",
    "costs",
    "export",
    "find_calibration",
    "hypervolume",
    "knee",
    "load_calibration",
    "load_data",
    "load_recipe",
    "load_space",
    "make_space",
    "maximize",
    "minimize",
    "open_baselines",
    "open_confirmation",
    "open_network",
    "open_study",
    "pause_search",
    "pick",
    "progress",
    "prune_study",
    "reference",
    "resume_search",
    "retarget",
    "stop_search",
    "to_onnx",
    "write_audit_report",
    "write_report",
    "write_retarget_report",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'mbnas' has no attribute {name!r}")
    value = getattr(importlib.import_module(_ROOM_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOM_OF])
