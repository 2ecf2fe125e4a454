"""Binary files: checkpoints, images in folders and zips, ONNX files."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import os
import pickle
import random
import shutil
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from helpers import some_architectures, stripes, tiny_space
from onnx import TensorProto
from PIL import Image
from property.damage import NASTY, damaged_bytes

import mbnas
from fuzzing.judge import Status, judged
from fuzzing.pool import Job
from fuzzing.texts import FileKind
from mbnas.data import load_data
from mbnas.measure.onnx_file import to_onnx
from mbnas.training.recipe import Recipe
from mbnas.training.trainer import Assignment


class Payload:
    """A pickle that leaves a mark where it is run."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.mark),)


DIGEST_BYTES = 32


def signed(content: bytes) -> bytes:
    """A checkpoint whose digest is right, whatever it holds."""
    return hashlib.sha256(content).digest() + content


class Checkpoints(FileKind):
    """A training's checkpoint: passed over or taken up, and never run."""

    suffix = ".pt"

    def __init__(self, job: Job, folder: Path) -> None:
        super().__init__(job, folder)
        torch.set_num_threads(1)
        parts = (stripes(64), stripes(32, seed=1))
        recipe = Recipe(epochs=2, ema=0.9, precision="float32")
        options: dict[str, Any] = {"flip": True, "crop": True, "device": "cpu"}
        self._trainer = mbnas.TorchTrainer(*parts, 2, recipe, **options)
        self._network = some_architectures(tiny_space(head={"dropout": 0.1}), 1)[0]
        sound = folder / "sound.pt"
        self._train(sound, until=1)
        self._sound = sound.read_bytes()
        self._mark = folder / "run"

    def _train(self, checkpoint: Path, until: int | None = None) -> None:
        assignment = Assignment(self._network, 0, until=until, checkpoint=checkpoint)
        assert self._trainer.train(assignment, lambda _: None).curve

    def content(self, number: int, rng: random.Random) -> bytes:
        """Half of them by bytes, the others sound files of another state."""
        match number % 10:
            case 0:
                return signed(pickle.dumps(Payload(self._mark), rng.choice((0, 2, 4))))
            case 1:
                return signed(_saved({"identity": "x", "state": Payload(self._mark)}))
            case 2:
                return signed(self._repacked(rng))
            case 3 | 4:
                return self._tampered(rng)
            case 5:
                return signed(damaged_bytes(rng, self._sound[DIGEST_BYTES:]))
        return damaged_bytes(rng, self._sound)

    def _tampered(self, rng: random.Random) -> bytes:
        held = torch.load(io.BytesIO(self._sound[DIGEST_BYTES:]), weights_only=True)
        places = [(held, "state"), *_places(held["state"])]
        holder, key = rng.choice(places)
        value = holder[key]
        if isinstance(value, torch.Tensor) and rng.random() < 0.7:
            changes = (value * float("nan"), value.flatten()[:0], value.double(), value[None])
            holder[key] = rng.choice(changes)
        elif isinstance(holder, dict) and rng.random() < 0.4:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(rng.choice(NASTY))
        return self._sound[:DIGEST_BYTES] + _saved(held)

    def _repacked(self, rng: random.Random) -> bytes:
        """A sound zip with one member damaged, so that its check sums hold."""
        out = io.BytesIO()
        inside = io.BytesIO(self._sound[DIGEST_BYTES:])
        with zipfile.ZipFile(inside) as sound, zipfile.ZipFile(out, "w") as made:
            damaged = rng.choice(sound.namelist())
            for name in sound.namelist():
                held = sound.read(name)
                made.writestr(name, damaged_bytes(rng, held) if name == damaged else held)
        return out.getvalue()

    def used(self) -> Status:
        """A training that finds it."""
        status = judged(lambda: self._train(self.file), self.file)
        if self._mark.exists():
            self._mark.rmdir()
            raise AssertionError("the checkpoint was run")
        return status


def _saved(state: Any) -> bytes:
    out = io.BytesIO()
    torch.save(state, out)
    return out.getvalue()


def _places(node: Any) -> Any:
    for key, item in node.items() if isinstance(node, dict) else enumerate(node):
        yield node, key
        if isinstance(item, (dict, list)):
            yield from _places(item)


class Images(FileKind):
    """A folder or zip of classes, or MNIST's files, with broken members."""

    suffix = ".zip"

    def __init__(self, job: Job, folder: Path) -> None:
        super().__init__(job, folder)
        rng = np.random.default_rng(0)
        self._images = {}
        for name, options in _FORMATS.items():
            pixels = rng.integers(0, 256, (9, 12, 3), np.uint8)
            out = io.BytesIO()
            Image.fromarray(pixels).convert(options.pop("mode", "RGB")).save(out, **options)
            self._images[name] = out.getvalue()
        self._is_mnist = False
        self._packed = True

    def content(self, number: int, rng: random.Random) -> bytes:
        """A zip, which is unpacked for a folder's case."""
        self._is_mnist, self._packed = number % 10 == 0, number % 3 == 0
        if self._is_mnist:
            return _mnist(rng)
        members = {f"{one}/{name}": content for one in "ab" for name, content in self._filled(one)}
        for _ in range(rng.choice((1, 1, 2))):
            name = rng.choice(list(members))
            members[name] = self._broken(rng, members[name])
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", rng.choice((0, 8, 12))) as made:
            for name, content in members.items():
                made.writestr(name, content)
            if rng.random() < 0.1:
                made.writestr(rng.choice(_STRANGE_NAMES), b"x")
        raw = out.getvalue()
        return damaged_bytes(rng, raw) if self._packed and rng.random() < 0.6 else raw

    def _filled(self, one: str) -> list[tuple[str, bytes]]:
        extra = one.encode()  # so that no file of one class is another's
        return [(name, content + extra) for name, content in self._images.items()]

    def _broken(self, rng: random.Random, content: bytes) -> bytes:
        match rng.randrange(8):
            case 0:
                return b""
            case 1:
                return rng.choice(list(self._images.values()))
            case 2:
                return _bomb(rng)
            case 3:
                return content[: rng.randrange(len(content))]
        return damaged_bytes(rng, content, list(self._images.values()))

    def used(self) -> Status:
        """Found, dealt and decoded."""
        place = self.file
        if self._is_mnist or not self._packed:
            place = self.folder / "unpacked"
            shutil.rmtree(place, ignore_errors=True)
            with (
                contextlib.suppress(zipfile.BadZipFile, OSError),
                zipfile.ZipFile(self.file) as packed,
            ):
                packed.extractall(place)
        spec = f"{'mnist' if self._is_mnist else 'folder'}:{place}"

        def work() -> None:
            data = load_data(spec)
            for part in ("train", "validation", "test"):
                data.decode(part, 8)

        return judged(work, spec)


_FORMATS: dict[str, dict[str, Any]] = {
    "1.png": {"format": "PNG"},
    "2.jpg": {
        "format": "JPEG",
        "exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0",
    },
    "3.gif": {"format": "GIF"},
    "4.webp": {"format": "WEBP"},
    "5.tif": {"format": "TIFF", "compression": "tiff_lzw"},
    "6.bmp": {"format": "BMP"},
    "7.ppm": {"format": "PPM"},
    "8.png": {"format": "PNG", "mode": "P"},
    "9.png": {"format": "PNG", "mode": "LA"},
    "10.jp2": {"format": "JPEG2000"},
    "11.avif": {"format": "AVIF"},
    "12.tiff": {"format": "TIFF", "mode": "F"},
}
_STRANGE_NAMES = (
    "../../c/1.png",
    "/c/1.png",
    "a/../../1.png",
    "a//1.png",
    "c\\1.png",
    "a/1.png",
    "a",
    "b/",
    "/",
    "\u202e/1.png",
    "c/" * 400 + "1.png",
)


def _bomb(rng: random.Random) -> bytes:
    """A PNG of many pixels in few bytes, or a file of many zeros in few bytes of a zip."""
    if rng.random() < 0.3:
        return bytes(rng.choice((2**20, 2**26)))
    side = rng.choice((3_000, 12_000, 50_000, 2**31 - 1))

    def chunk(kind: bytes, inside: bytes) -> bytes:
        return (
            struct.pack(">I", len(inside))
            + kind
            + inside
            + struct.pack(">I", zlib.crc32(kind + inside))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(min(10**7, side * (side + 1))))
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _mnist(rng: random.Random) -> bytes:
    out = io.BytesIO()
    damaged = rng.randrange(4)
    with zipfile.ZipFile(out, "w") as made:
        for at, (part, count) in enumerate(
            (("train", 60), ("train", 60), ("t10k", 20), ("t10k", 20))
        ):
            if at % 2:
                name, inside = (
                    f"{part}-labels-idx1-ubyte",
                    struct.pack(">II", 2049, count) + bytes(i % 10 for i in range(count)),
                )
            else:
                name, inside = (
                    f"{part}-images-idx3-ubyte",
                    struct.pack(">IIII", 2051, count, 28, 28) + bytes(count * 784),
                )
            made.writestr(
                f"MNIST/raw/{name}", damaged_bytes(rng, inside) if at == damaged else inside
            )
    return out.getvalue()


class Networks(FileKind):
    """ONNX files, as `mbnas bench` takes them."""

    suffix = ".onnx"

    def __init__(self, job: Job, folder: Path) -> None:
        super().__init__(job, folder)
        networks = some_architectures(tiny_space(), 4)
        self._files = [to_onnx(network.lower(10)) for network in networks]

    def content(self, number: int, rng: random.Random) -> bytes:
        """By bytes, or as a file of its format that says something else."""
        content = rng.choice(self._files)
        return damaged_bytes(rng, content, self._files) if number % 2 else _changed(rng, content)

    def used(self) -> Status:
        """Opened and run once, and named for profiling."""
        from mbnas.measure.profile import _named

        return judged(lambda: _named(mbnas.open_network(self.file).file), self.file)


def _changed(rng: random.Random, content: bytes) -> bytes:
    model = onnx.load_model_from_string(content)
    for _ in range(rng.choice((1, 1, 2))):
        with contextlib.suppress(ValueError, TypeError, IndexError):
            _change(rng, model)
    return bytes(model.SerializeToString())


def _change(rng: random.Random, model: Any) -> None:
    graph = model.graph
    node, tensor = rng.choice(graph.node), rng.choice(graph.initializer)
    shape = rng.choice((*graph.input, *graph.output)).type.tensor_type.shape
    size = rng.choice((0, -1, 1, 7, 2**31, 2**40, 2**62))
    names = [
        *(one.name for one in graph.initializer),
        *(name for one in graph.node for name in one.output),
        "",
        "x",
    ]
    match rng.randrange(14):
        case 0:
            node.op_type = rng.choice(
                ("Loop", "If", "Scan", "Reshape", "Conv", "Nothing", "", "Resize")
            )
        case 1:
            node.input[rng.randrange(len(node.input))] = rng.choice(names)
        case 2:
            node.output[0] = rng.choice(names)
        case 3 if node.attribute:
            attribute = rng.choice(node.attribute)
            attribute.i = size
            if attribute.ints:
                attribute.ints[rng.randrange(len(attribute.ints))] = size
        case 4 if node.attribute:
            attribute = rng.choice(node.attribute)
            attribute.type = rng.randrange(15)
        case 5:
            tensor.dims[rng.randrange(len(tensor.dims))] = size
        case 6:
            tensor.data_type = rng.randrange(25)
        case 7:
            tensor.raw_data = damaged_bytes(rng, tensor.raw_data)
        case 8:
            tensor.data_location = TensorProto.EXTERNAL
            entry = tensor.external_data.add()
            entry.key = "location"
            entry.value = rng.choice(("/etc/passwd", "../../../etc/passwd", "/dev/zero", "x", ""))
        case 9:
            model.ir_version, model.opset_import[0].version = rng.choice(
                ((1, 1), (9, 99), (99, 18), (-1, -1))
            )
        case 10 if shape.dim:
            shape.dim[rng.randrange(len(shape.dim))].dim_value = size
        case 11:
            del graph.node[rng.randrange(len(graph.node))]
        case 12:
            graph.node.add().CopyFrom(node)
        case 13:
            graph.input[0].type.tensor_type.elem_type = rng.randrange(25)
