"""Which network a baseline's text means, and how it is kept."""

from __future__ import annotations

import onnx
import pytest

from mbnas.analysis.contenders import USUAL, ContenderRecord, baseline
from mbnas.errors import StudyError
from mbnas.network import Architecture, costs


@pytest.mark.parametrize("text", [*USUAL, "mobilenet_v2", "torchvision:squeezenet1_1"])
def test_a_baseline_has_its_costs_and_its_file_and_is_kept(text: str) -> None:
    one = baseline(text, 32)
    assert one.trial is None
    assert one.network.resolution == 32
    found = one.costs(10)
    model = onnx.load_model_from_string(one.file(10))
    weights = sum(int(onnx.numpy_helper.to_array(it).size) for it in model.graph.initializer)
    assert found.params * 0.97 < weights < found.params * 1.03, "batch norms are folded there"
    kept = ContenderRecord.of(one)
    again = ContenderRecord.model_validate_json(kept.model_dump_json()).contender()
    assert (again.id, again.name, again.trial) == (one.id, one.name, None)
    assert again.costs(10) == found


def test_a_reference_keeps_its_maps_from_vanishing_on_small_images() -> None:
    network = baseline("mobilenet_v2@0.35", 32).network
    assert isinstance(network, Architecture)
    maps = [node.shape[1] for node in network.lower(10).nodes if len(node.shape) == 3]
    assert min(size for size in maps if size > 1) == 4
    whole = baseline("mobilenet_v2", 224).network
    assert isinstance(whole, Architecture)
    assert costs(whole.lower(1000)).params == 3_504_872


def test_torch_counts_macs_as_the_graph_does() -> None:
    ours = baseline("mobilenet_v2", 224).costs(1000)
    theirs = baseline("torchvision:mobilenet_v2", 224).costs(1000)
    assert ours.params == theirs.params
    assert ours.macs == pytest.approx(theirs.macs, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mobilenet_v3", 'did you mean "mobilenet_v2"'),
        ("mobilenet_v2@wide", '"wide" is no factor of widths'),
        ("mobilenet_v2@-1", "mobilenet_v2@-1"),
        ("torchvision:resnet19", 'did you mean "resnet18"'),
        ("torchvision:inception_v3", "cannot take images of 32 pixels"),
    ],
)
def test_what_is_none_is_told(text: str, said: str) -> None:
    with pytest.raises(StudyError, match="baseline") as caught:
        baseline(text, 32)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_record_is_told() -> None:
    kept = ContenderRecord.of(baseline("mobilenet_v2@0.35", 32))
    assert kept.architecture is not None
    damaged = kept.model_copy(update={"architecture": {**kept.architecture, "stages": 3}})
    with pytest.raises(StudyError, match="damaged"):
        damaged.contender()
