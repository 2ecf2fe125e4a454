"""mbnas bench and mbnas calibrate, as a user calls them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import onnx
import pytest
from helpers import run_mbnas, some_architectures, tiny_space

from mbnas.cli import main
from mbnas.errors import MeasureError
from mbnas.measure.latency import OrtLatencyMeter
from mbnas.measure.networks import open_network
from mbnas.measure.onnx_file import to_onnx
from mbnas.measure.profile import by_part
from mbnas.network import Architecture, costs, reference
from mbnas.report import profile_figure
from mbnas.search import open_study


def one_node(node: Any, kind: int) -> Any:
    """A network of one node, from `in` to `out`."""
    ends = [onnx.helper.make_tensor_value_info(name, kind, [1, 8]) for name in ("in", "out")]
    graph = onnx.helper.make_graph([node], "one node", ends[:1], ends[1:])
    opsets = [onnx.helper.make_opsetid("", 18)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network as an architecture file and as an ONNX file."""
    place = tmp_path_factory.mktemp("networks")
    (architecture,) = some_architectures(tiny_space(resolution=64), 1)
    (place / "small.json").write_text(architecture.to_json())
    (place / "large.onnx").write_bytes(to_onnx(reference("mobilenet_v2", 64).lower(10)))
    return place


def test_networks_of_every_kind_side_by_side(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        *("bench", "mobilenet_v1", "torchvision:squeezenet1_1"),
        *(str(folder / "small.json"), str(folder / "large.onnx")),
        *("--resolution", "64", "--seconds", "0.1", "--threads", "1"),
    ]
    assert main(command) == 0
    out = capsys.readouterr().out
    rows = {
        line.split()[0]: line.replace("~", "").split() for line in out.splitlines() if line.strip()
    }
    for name in ("mobilenet_v1", "squeezenet1_1", "small", "large"):
        latency, low, _, high, ratio = (rows[name][at] for at in (1, 2, 3, 4, 5))
        assert 0 <= float(low) <= float(latency) <= float(high)
        assert float(latency) > 0
        assert float(ratio) > 0
    assert rows["mobilenet_v1"][5] == "1.00"
    assert float(rows["small"][1]) < float(rows["large"][1])
    assert "ONNX Runtime" in out


def test_files_of_one_name_are_told_apart(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    files = [Path("b1", "model.onnx"), Path("b2", "model.onnx"), Path("net[v2].onnx")]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes((folder / "large.onnx").read_bytes())
    assert main(["bench", *map(str, files), "--seconds", "0.05"]) == 0
    rows = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert {"b1/model.onnx", "b2/model.onnx", "net[v2]"} <= set(rows)


@pytest.fixture
def bundle(folder: Path, tmp_path: Path) -> Path:
    """A network of 10 classes as a bundle holds it."""
    place = tmp_path / "bundle"
    place.mkdir()
    text = (folder / "small.json").read_text()
    (place / "architecture.json").write_text(text)
    (place / "model.onnx").write_bytes(to_onnx(Architecture.from_json(text).lower(10)))
    return place


def test_a_bundles_network_keeps_its_classes(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, file = str(bundle / "architecture.json"), str(bundle / "model.onnx")
    network = Architecture.from_json(Path(own).read_text())
    for options, classes in (((), 10), (("--classes", "1000"), 1000)):
        assert main(["network", own, *options]) == 0
        params = costs(network.lower(classes)).params
        said = capsys.readouterr().out
        assert f"classes         {classes:,}\nparameters      {params:,}\n" in said
    assert main(["bench", file, own, "--seconds", "0.05"]) == 0
    assert "\nclasses: 10\n" in capsys.readouterr().out
    assert main(["bench", file, own, "--seconds", "0.05", "--classes", "1000"]) == 0
    assert "\nclasses: model 10, architecture 1,000\n" in capsys.readouterr().out


def test_only_classes_of_mbnas_own_files_are_taken(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = bundle / "model.onnx"
    foreign = onnx.load_model_from_string(file.read_bytes())
    foreign.producer_name = "other"
    for content in (foreign.SerializeToString(), b"no network"):
        file.write_bytes(content)
        assert main(["network", str(bundle / "architecture.json")]) == 0
        assert "classes         1,000\n" in capsys.readouterr().out


def test_a_bundles_folder_means_its_network(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", str(bundle), "--seconds", "0.05"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^\s*model +\d", said, re.MULTILINE)
    assert ", 1 thread, " in said


def test_what_an_onnx_file_does_not_say_is_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = onnx.helper.make_node("Flatten", ["in"], ["out"], axis=0)
    model = one_node(node, onnx.TensorProto.FLOAT)
    del model.graph.output[0].type.tensor_type.shape.dim[0]
    del model.graph.output[0].type.tensor_type.shape.dim[0]
    file = tmp_path / "model.onnx"
    file.write_bytes(model.SerializeToString())
    assert main(["bench", str(file), "--seconds", "0.05"]) == 0
    assert "classes: unknown" in capsys.readouterr().out


def test_a_profiles_names_are_printed_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = onnx.helper.make_node("Exp", ["in"], ["out"], name="[red].[/x]")
    file = tmp_path / "model.onnx"
    file.write_bytes(one_node(node, onnx.TensorProto.FLOAT).SerializeToString())
    assert main(["bench", str(file), "--seconds", "0.05", "--profile"]) == 0
    rows = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert {"model", "[red]", "[red].[/x]"} <= set(rows)


def test_profile_tells_stages_apart_and_draws_them(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chart = tmp_path / "profile.html"
    command = ["bench", str(folder / "small.json"), "--seconds", "0.1", "--chart", str(chart)]
    assert main(command) == 0
    out = capsys.readouterr().out
    for part in ("stem", "stage1", "stage2", "head"):
        assert re.search(rf"{part} .*%.*█", out)
    assert "stage1.block1" in chart.read_text()
    command[-1] = str(tmp_path / "nowhere" / "profile.html")
    assert main(command) == 1
    assert "profile.html: cannot be written (No such file" in capsys.readouterr().err


def test_every_operator_belongs_to_its_stage() -> None:
    graph = reference("efficientnet_b0", 64).lower(10)
    operators = OrtLatencyMeter(seconds=0.1).profile(to_onnx(graph), runs=3, seconds=0.1)
    assert all(operator.milliseconds >= 0 for operator in operators)
    parts = by_part(operators)
    assert list(parts) == ["stem", *(f"stage{at}" for at in range(1, 8)), "head"]
    assert sum(parts.values()) == pytest.approx(sum(one.milliseconds for one in operators))
    figure = profile_figure("efficientnet_b0", operators)
    assert sum(bar.x[0] for bar in figure.data) == pytest.approx(sum(parts.values()))


def test_nodes_of_one_name_are_told_apart() -> None:
    model = onnx.load_model_from_string(to_onnx(reference("mobilenet_v2", 32).lower(10)))
    for node in model.graph.node:
        node.name = "same"
    meter = OrtLatencyMeter(seconds=0.1)
    operators = meter.profile(model.SerializeToString(), runs=3, seconds=0.1)
    assert len(operators) > 50
    assert all(one.milliseconds >= 0 for one in operators)


def test_a_foreign_file_is_profiled_by_operator(tmp_path: Path) -> None:
    network = open_network("torchvision:squeezenet1_1", resolution=64, classes=10)
    parts = by_part(OrtLatencyMeter(seconds=0.1).profile(network.file, runs=3, seconds=0.1))
    assert "Conv" in parts or any("features" in part for part in parts)


def test_files_that_cannot_be_timed_are_measure_errors(tmp_path: Path) -> None:
    meter = OrtLatencyMeter(seconds=0.05)
    with pytest.raises(MeasureError, match="cannot load"):
        meter.measure_files([b"not a network"])
    with pytest.raises(MeasureError, match="not an ONNX file"):
        meter.profile(b"not a network")
    node = onnx.helper.make_node("Identity", ["in"], ["out"])
    model = one_node(node, onnx.TensorProto.STRING)
    with pytest.raises(MeasureError, match="one float32 input"):
        meter.measure_files([model.SerializeToString()])


def test_calibrate_says_its_error_and_a_search_uses_it(tmp_path: Path) -> None:
    space = tmp_path / "tiny.toml"
    space.write_text(tiny_space().toml)
    result = run_mbnas("calibrate", space, "--seconds", "1", "--classes", "10")
    assert result.returncode == 0, result.stderr
    assert re.search(r"networks not seen: mean error [\d.]+%, at most [\d.]+%", result.stdout)
    result = run_mbnas(
        *("search", space, "--data", "digits", "--study", tmp_path / "study", "--subset", 200),
        *("--trials", 3, "--epochs", 1, "--limit", "latency_ms=5", "--device", "cpu"),
    )
    assert result.returncode == 0, result.stderr
    assert re.search(r"limit latency_ms ≤ 5: about \d+% of the space", result.stdout)
    assert all(trial.predicted_ms for trial in open_study(tmp_path / "study").trials)
