"""Units of a network, the predictor over them, and calibrating it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from helpers import some_architectures, tiny_space

from mbnas.errors import MeasureError
from mbnas.measure.calibration import (
    Calibration,
    calibrate,
    calibrated_classes,
    calibration_path,
    find_calibration,
    load_calibration,
)
from mbnas.measure.latency import OrtLatencyMeter
from mbnas.measure.predictor import LatencyPredictor
from mbnas.measure.units import Unit, unit_names, units
from mbnas.network import Architecture, Stage, Stem, reference
from mbnas.space import load_space

SPACE = load_space("cifar_mobile")


def true_ms(unit: Unit) -> float:
    """A machine that is easy to learn."""
    macs, weights, values = unit.work
    return 1e-3 * (2 + np.exp(macs) / 4e5 + np.exp(weights) / 2e4 + np.exp(values) / 1e5)


def true_latency_ms(architecture: Architecture) -> float:
    return sum(true_ms(unit) for unit in units(architecture.lower(10)).values())


def test_units_hold_every_operator_once() -> None:
    for architecture in (*some_architectures(SPACE, 20), reference("efficientnet_b0", 224)):
        graph = architecture.lower(10)
        named = unit_names(graph)
        assert list(named) == [node.name for node in graph.nodes[1:]]
        assert set(named.values()) == set(units(graph))


def test_equal_parts_are_equal_units() -> None:
    deep = Architecture(
        resolution=32,
        stem=Stem(width=16),
        stages=(Stage(width=24, depth=4, stride=1, se_ratio=0.25, expansion=4),),
    )
    found = units(deep.lower(10))
    for part in ("expand", "depthwise", "se", "project"):
        assert found[f"stage1.block2.{part}"] == found[f"stage1.block4.{part}"]
        assert found[f"stage1.block1.{part}"] != found[f"stage1.block2.{part}"]
    # The residual sum belongs to the convolution that ONNX Runtime fuses it with.
    assert found["stage1.block2.project"].kind == "PointwiseConv+Add"
    assert found["stage1.block1.project"].kind == "PointwiseConv"


def test_units_of_one_kind_have_the_same_features() -> None:
    lengths: dict[str, set[int]] = {}
    for architecture in some_architectures(SPACE, 100):
        for unit in units(architecture.lower(10)).values():
            lengths.setdefault(unit.kind, set()).add(len(unit.features))
    assert all(len(found) == 1 for found in lengths.values())
    assert len(lengths) > 8


@pytest.fixture(scope="module")
def predictor() -> LatencyPredictor:
    times = {
        unit: (true_ms(unit) + 0.004, 3)  # what a profiler adds
        for architecture in some_architectures(SPACE, 60)
        for unit in units(architecture.lower(10)).values()
    }
    whole = some_architectures(SPACE, 24, seed=1)
    return LatencyPredictor(times, [(one, true_latency_ms(one)) for one in whole], 10)


def test_unseen_networks_are_predicted(predictor: LatencyPredictor) -> None:
    unseen = [(one, true_latency_ms(one)) for one in some_architectures(SPACE, 100, seed=2)]
    error = predictor.error_on(unseen)
    assert error.networks == 100
    assert error.mean < 0.02
    assert error.within_10 >= 0.99
    assert error.most >= error.mean


def test_what_was_never_seen_is_predicted_from_its_work(predictor: LatencyPredictor) -> None:
    """Activations, blocks and sizes that the space does not have."""
    foreign = [reference("efficientnet_b0", 64), reference("mobilenet_v1", 64)]
    predicted = predictor.predict(foreign)
    for architecture, ms in zip(foreign, predicted, strict=True):
        assert 0.3 < ms / true_latency_ms(architecture) < 3


def test_prediction_does_not_depend_on_company(predictor: LatencyPredictor) -> None:
    some = some_architectures(SPACE, 5, seed=3)
    together = predictor.predict(some)
    alone = [predictor.predict([one])[0] for one in reversed(some)][::-1]
    np.testing.assert_allclose(together, alone, rtol=1e-9)
    assert len(predictor.predict([])) == 0


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    heard: list[tuple[str, int, float]] = []
    made = calibrate(
        tiny_space(),
        seconds=1.0,
        meter=OrtLatencyMeter(seconds=0.02),
        progress=lambda *said: heard.append(said),
    )
    assert {what for what, _, _ in heard} == {"units", "networks", "unseen networks", "fitting"}
    assert all(0 <= share <= 1 for _, _, share in heard)
    return made


def test_calibrating_times_units_and_networks(calibration: Calibration) -> None:
    kinds = {unit.kind for unit in calibration.timed_units}
    assert any("DepthwiseConv" in kind for kind in kinds)
    assert all(unit.ms >= 0 for unit in calibration.timed_units)
    assert sum(unit.ms > 0 for unit in calibration.timed_units) > len(calibration.timed_units) / 2
    assert len(calibration.fitted) >= 12
    seen = {architecture.id for architecture, _ in calibration.fitted}
    assert all(architecture.id not in seen for architecture, _ in calibration.unseen)
    # Networks of some ten microseconds, measured for a moment: only that it is no nonsense.
    assert calibration.error().mean < 1


@pytest.mark.parametrize("seconds", [0.0, -5.0, float("nan"), float("inf")])
def test_a_calibration_needs_time(seconds: float) -> None:
    with pytest.raises(MeasureError, match="must be above 0"):
        calibrate(tiny_space(), seconds=seconds)


def test_a_space_too_small_for_unseen_networks_needs_no_predictor() -> None:
    space = tiny_space(resolution=8, stages=[{"width": [4, 8], "stride": 2}])
    assert space.size == 8
    with pytest.raises(MeasureError, match=r"tiny: has fewer than 52 networks; .* no predictor"):
        calibrate(space, seconds=1.0, meter=OrtLatencyMeter(seconds=0.02))


def test_where_networks_run_out_the_unseen_ones_are_still_unseen() -> None:
    stage = {"width": [4, 8, 12], "stride": 2, "depth": [1, 2]}
    space = tiny_space(resolution=[8, 12, 16], stages=[stage])
    timed: list[int] = []
    made = calibrate(
        space,
        seconds=4.0,
        meter=OrtLatencyMeter(seconds=0.02),
        progress=lambda _, networks, __: timed.append(networks),
    )
    whole = [architecture.id for architecture, _ in (*made.fitted, *made.unseen)]
    assert len(made.unseen) >= 10
    assert len(set(whole)) == len(whole)
    assert len(timed) - 1 <= space.size  # the fit is said too


def test_a_calibration_is_kept_and_predicts_the_same(
    calibration: Calibration, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "tiny.json"
    calibration.save(path)
    again = load_calibration(path)
    some = some_architectures(tiny_space(), 10, seed=9)
    np.testing.assert_allclose(
        again.predictor().predict(some), calibration.predictor().predict(some), rtol=1e-6
    )


def test_a_search_finds_the_calibration_of_its_space(
    calibration: Calibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MBNAS_CACHE", str(tmp_path))
    assert find_calibration(tiny_space(resolution=16), 10, 1) is None
    calibration.save(calibration_path(tiny_space(), 10, 1))
    found = find_calibration(tiny_space(), 10, 1)
    assert found is not None
    assert found.space == "tiny"
    assert find_calibration(tiny_space(), 11, 1) is None
    assert calibrated_classes(tiny_space(), 1) == [10]
    assert calibrated_classes(tiny_space(resolution=16), 1) == []
    assert find_calibration(tiny_space(), 10, 2) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"cpu":"', '"cpu":"Another '), "calibrated with cpu = Another"),
        (('"onnxruntime":"', '"onnxruntime":"0.'), "calibrated with onnxruntime = 0."),
        (('"schema_version"', '"schema"'), "no calibration"),
    ],
    ids=["processor", "runtime", "damaged"],
)
def test_a_calibration_of_another_machine_is_refused(
    calibration: Calibration, tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(calibration.model_dump_json().replace(*change))
    with pytest.raises(MeasureError, match=said) as caught:
        load_calibration(path)
    assert "mbnas calibrate" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_calibration_is_said(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match="cannot be read"):
        load_calibration(tmp_path / "none.json")


def test_networks_are_drawn_from_the_seed() -> None:
    rng = random.Random(0)
    assert SPACE.sample(rng) != SPACE.sample(rng)
