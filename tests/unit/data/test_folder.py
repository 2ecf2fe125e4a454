from __future__ import annotations

import os
import pickle
import shutil
import zipfile
from pathlib import Path

import pytest

from mbnas.data import Dataset, Part, load_data
from mbnas.data.source import PARTS
from mbnas.data.sources.tree import MOST_BYTES
from mbnas.errors import DataError


def assert_refused(path: Path, message: str) -> None:
    with pytest.raises(DataError) as caught:
        load_data(f"folder:{path}").decode("train", 4)
    text = str(caught.value)
    assert text.startswith(f"folder:{path}: ")
    assert message in text
    assert "\n" not in text


def decoded(data: Dataset) -> list[Part]:
    return [data.decode(part, 4) for part in PARTS]


def test_class_folders_are_dealt_into_three(photos: Path):
    data = load_data(f"folder:{photos}")
    assert data.classes == ("cat", "dog")
    assert data.sizes == {"train": 12, "validation": 4, "test": 4}
    assert (data.flip, data.crop) == (True, True)
    assert data.duplicates == ()


def test_given_parts_are_kept(parted: Path):
    data = load_data(f"folder:{parted}")
    assert data.sizes == {"train": 16, "validation": 4, "test": 8}
    names = [data.source.names[index] for index in data.parts["test"]]
    assert all(name.startswith("test/") for name in names)


@pytest.mark.parametrize("spelling", ["validation", "val", "Valid"])
def test_a_given_validation_part_is_kept(parted: Path, make_images, spelling: str):
    make_images(parted, [f"{spelling}/cat/a.png", f"{spelling}/dog/b.png"])
    assert load_data(f"folder:{parted}").sizes == {"train": 20, "validation": 2, "test": 8}


def test_without_a_test_folder_the_test_is_taken_from_train(parted: Path):
    (parted / "test").rename(parted / "val")
    assert load_data(f"folder:{parted}").sizes == {"train": 16, "validation": 8, "test": 4}


def test_parts_may_be_called_training_and_testing(parted: Path):
    expected = load_data(f"folder:{parted}")
    (parted / "train").rename(parted / "Training")
    (parted / "test").rename(parted / "Testing")
    data = load_data(f"folder:{parted}")
    assert data.classes == expected.classes
    assert data.sizes == expected.sizes


def test_train_alone_is_a_wrapping_folder(parted: Path):
    shutil.rmtree(parted / "test")
    assert load_data(f"folder:{parted}").sizes == {"train": 12, "validation": 4, "test": 4}


def test_train_may_be_a_class(tmp_path: Path, make_images):
    names = [f"{vehicle}/{n}.png" for vehicle in ("bus", "train") for n in range(5)]
    assert load_data(f"folder:{make_images(tmp_path, names)}").classes == ("bus", "train")


def test_a_zip_is_read_like_its_folder_in_any_order(parted: Path, tmp_path: Path, zip_folder):
    expected = load_data(f"folder:{parted}")
    wrapped = zip_folder(parted, tmp_path / "wrapped.zip", prefix="data/", backwards=True)
    for archive in (zip_folder(parted, tmp_path / "plain.zip"), wrapped):
        data = load_data(f"folder:{archive}")
        assert data.digest() == expected.digest()
        images = data.decode("train", 4).images
        assert (images == expected.decode("train", 4).images).all()


def test_the_order_of_the_file_system_does_not_matter(photos: Path, monkeypatch):
    expected = load_data(f"folder:{photos}").digest()
    walk = os.walk
    monkeypatch.setattr(
        os, "walk", lambda *a, **k: [(p, b[::-1], n[::-1]) for p, b, n in list(walk(*a, **k))[::-1]]
    )
    assert load_data(f"folder:{photos}").digest() == expected


def test_a_wrapping_folder_is_looked_through(photos: Path, tmp_path: Path):
    shutil.move(photos, tmp_path / "outer" / "photos")
    (tmp_path / "outer" / "README.md").write_text("about")
    assert load_data(f"folder:{tmp_path / 'outer'}").classes == ("cat", "dog")


def test_what_is_no_image_takes_no_part(photos: Path):
    expected = load_data(f"folder:{photos}").digest()
    for name in (
        "cat/Thumbs.db",
        "cat/.DS_Store",
        "cat/notes.txt",
        "dog/labels.csv",
        "dog/a.xyz",
        "__MACOSX/cat/._1.png",
        ".hidden/cat/1.png",
        "overview.png",
    ):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(b"no image")
    assert load_data(f"folder:{photos}").digest() == expected


def test_images_may_stand_deeper_in_a_class(photos: Path, make_images):
    make_images(photos, ["cat/indoors/1.PNG"])
    assert "cat/indoors/1.PNG" in load_data(f"folder:{photos}").source.names


@pytest.mark.parametrize(
    "folders",
    [
        ("cat/indoors", "cat/outdoors", "dog/indoors"),
        ("cat/images", "dog/images"),
        ("cat/indoors", "cat/outdoors", "dog/indoors", "dog/outdoors", "dog"),
        ("bus", "train/steam", "train/diesel", "train"),
        ("bus", "train/steam"),
    ],
)
def test_classes_may_hold_folders(folders: tuple[str, ...], tmp_path: Path, make_images):
    make_images(tmp_path, [f"{folder}/{number}.png" for folder in folders for number in range(3)])
    classes = sorted({folder.split("/")[0] for folder in folders})
    for name in classes:
        (tmp_path / name / "notes").mkdir()
        (tmp_path / name / "notes" / "1.txt").touch()
    assert load_data(f"folder:{tmp_path}").classes == tuple(classes)


def test_linked_class_folders_are_followed(photos: Path, tmp_path: Path):
    shutil.move(photos / "cat", tmp_path / "elsewhere")
    (photos / "cat").symlink_to(tmp_path / "elsewhere")
    assert sum(load_data(f"folder:{photos}").sizes.values()) == 20


def test_the_current_folder_may_be_named_by_a_point(parted: Path, monkeypatch):
    monkeypatch.chdir(parted)
    assert load_data("folder:.").sizes == load_data(f"folder:{parted}").sizes


def test_a_name_that_is_no_text_is_refused(photos: Path):
    try:
        (photos / "cat").rename(os.fsdecode(os.fsencode(photos) + b"/caf\xe9"))
    except OSError:
        pytest.skip("this file system takes names of UTF-8 alone")
    assert_refused(photos, "holds 'caf\\udce9', a name that is not UTF-8; rename it")


@pytest.mark.parametrize("name", ["two\nlines", "a\ttab", "a\rreturn", "\x1b[1m", "a\u2028b"])
def test_a_class_name_that_would_break_a_line_is_refused(photos: Path, name: str):
    try:
        (photos / "cat").rename(photos / name)
    except OSError:
        pytest.skip("this file system takes no such names")
    assert_refused(photos, f"class {name!r} has a line break, a tab or another control character")


def test_a_class_name_may_be_of_any_script(photos: Path):
    name = "日\u3000本 \u200dé"  # neither of these spaces is printable by Python's own word
    (photos / "cat").rename(photos / name)
    assert load_data(f"folder:{photos}").classes == ("dog", name)


def test_home_is_expanded(photos: Path, monkeypatch):
    monkeypatch.setenv("HOME", str(photos.parent))
    assert load_data("folder:~/photos").classes == ("cat", "dog")


def test_a_data_set_can_be_sent_to_another_process(photos: Path):
    data = load_data(f"folder:{photos}")
    copy = pickle.loads(pickle.dumps(data))
    assert (copy.decode("test", 4).images == data.decode("test", 4).images).all()


def test_a_missing_path(tmp_path: Path):
    assert_refused(tmp_path / "gone", f"{tmp_path / 'gone'} is not there; give a folder or a zip")


def test_a_damaged_zip(photos: Path, tmp_path: Path, zip_folder):
    archive = zip_folder(photos, tmp_path / "cut.zip")
    archive.write_bytes(archive.read_bytes()[:-100])
    assert_refused(
        archive, f"{archive} is no zip, or a damaged one (File is not a zip file); copy it"
    )


def test_a_damaged_image_in_a_zip(photos: Path, tmp_path: Path, zip_folder):
    archive = zip_folder(photos, tmp_path / "flipped.zip")
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            content[entry.header_offset + 30 + len(entry.filename) + 50] ^= 0xFF
    archive.write_bytes(content)
    assert_refused(archive, "(Bad CRC-32 for file 'cat/")


def test_a_damaged_image_in_a_zip_of_lzma(photos: Path, tmp_path: Path):
    archive, name = tmp_path / "damaged.zip", "cat/0.png"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as packed:
        for file in sorted(photos.rglob("*.png")):
            packed.write(file, file.relative_to(photos).as_posix())
        start = packed.getinfo(name).header_offset + 30 + len(name)
    content = bytearray(archive.read_bytes())
    content[start + 9] = 0xFF  # the stream's first byte, behind nine of settings; always 0
    archive.write_bytes(content)
    data = load_data(f"folder:{archive}")
    at = data.source.names.index(name)
    part = next(part for part in PARTS if at in data.parts[part])
    with pytest.raises(DataError, match=rf"1 image of {part} cannot be read: {name} \(Corrupt"):
        data.decode(part, 4)


def test_an_encrypted_zip(photos: Path, tmp_path: Path, zip_folder):
    archive = zip_folder(photos, tmp_path / "locked.zip")
    content = archive.read_bytes()
    # The first flag bit of a central directory entry says that it is encrypted.
    place = content.index(b"PK\x01\x02") + 8
    archive.write_bytes(content[:place] + b"\x01" + content[place + 1 :])
    assert_refused(archive, f"{archive} is encrypted; give an open zip or a folder")


def test_no_class_folders(tmp_path: Path, make_images):
    make_images(tmp_path, ["1.png", "2.png"])
    assert_refused(
        tmp_path, f"{tmp_path} has no class folders; give <class>/<image>, or train/<class>"
    )


def test_one_class_only(tmp_path: Path, make_images):
    make_images(tmp_path, ["cat/1.png", "cat/2.png"])
    assert_refused(tmp_path, "only one class, 'cat'; a classifier needs at least two class folders")


def test_an_empty_class(photos: Path):
    (photos / "emu").mkdir()
    assert_refused(
        photos, "class 'emu' has no image in train; add at least one, or remove the class"
    )


def test_a_class_only_in_test(parted: Path, make_images):
    make_images(parted, ["test/emu/1.png"])
    assert_refused(
        parted, "class 'emu' stands in test but not in train; add it to train or remove it"
    )


def test_a_class_without_a_test_image(parted: Path):
    shutil.rmtree(parted / "test" / "dog")
    assert_refused(parted, "class 'dog' has no image in test; add at least one")


def test_test_without_train(parted: Path):
    (parted / "train").rename(parted / "val")
    assert_refused(parted, "test, val but no train folder; give <class>/<image>, or train/")


def test_folders_of_the_same_folders_look_like_parts(parted: Path):
    (parted / "train").rename(parted / "seen")
    (parted / "test").rename(parted / "unseen")
    assert_refused(
        parted,
        "seen, unseen all hold cat, dog, as parts do; call them train and test or, if they are "
        "classes, put their images right into them",
    )


def test_train_of_class_folders_beside_other_folders(parted: Path, make_images):
    (parted / "test").rename(parted / "aside")
    shutil.rmtree(parted / "aside/dog")
    make_images(parted, ["unlabelled/1.png"])
    assert_refused(
        parted,
        "train holds class folders (cat, dog), and beside it stand aside, unlabelled; move these "
        "away or, if train is a class, put its images right into it",
    )


def test_one_part_under_two_names(parted: Path, make_images):
    make_images(parted, ["val/cat/1.png", "validation/cat/2.png"])
    assert_refused(parted, "test, train, val, validation name one part twice; keep one of them")


def test_a_file_in_two_given_parts(parted: Path):
    shutil.copy(parted / "train/dog/3.png", parted / "test/dog/copy.png")
    message = "images of test stand in another part too: train/dog/3.png = test/dog/copy.png;"
    with pytest.raises(DataError, match=message):
        load_data(f"folder:{parted}")


def test_copies_in_one_class_are_dealt_together(photos: Path):
    for number in range(5):
        shutil.copy(photos / f"cat/{number}.png", photos / f"cat/copy{number}.png")
    for seed in range(5):
        data = load_data(f"folder:{photos}", seed=seed)
        home = {data.source.names[i]: part for part in data.sizes for i in data.parts[part]}
        assert all(home[f"cat/{n}.png"] == home[f"cat/copy{n}.png"] for n in range(5))


def test_one_file_in_two_classes_and_parts(photos: Path):
    for number in range(10):
        shutil.copy(photos / f"cat/{number}.png", photos / f"dog/{number}.png")
    assert_refused(photos, "stand in another part too: ")


def test_an_unlistable_folder_is_refused(photos: Path, monkeypatch):
    def walk(path, onerror, followlinks):
        onerror(PermissionError(13, "Permission denied", str(path)))
        return []

    monkeypatch.setattr(os, "walk", walk)
    assert_refused(photos, f"{photos} cannot be listed ([Errno 13] Permission denied")


def test_links_that_lead_back_are_told(photos: Path):
    """Two of them in each folder would be followed for ever."""
    for name in ("a", "b"):
        (photos / "cat" / name).symlink_to(photos / "dog")
        (photos / "dog" / name).symlink_to(photos / "cat")
    assert_refused(photos, "leads back to a folder around it; remove the link")


def test_a_link_to_a_class_elsewhere_is_followed(photos: Path, tmp_path: Path, make_images):
    elsewhere = make_images(tmp_path / "elsewhere", [f"{n}.png" for n in range(10)])
    (photos / "bird").symlink_to(elsewhere)
    assert load_data(f"folder:{photos}").classes == ("bird", "cat", "dog")


def test_a_pipe_is_not_waited_for(photos: Path):
    for name in ("x.png", "y.png"):
        os.mkfifo(photos / "cat" / name)
    data = load_data(f"folder:{photos}")
    with pytest.raises(DataError, match=r"\.png \(not a file\)"):
        decoded(data)


def test_a_file_that_unpacks_to_more_than_an_image_is_told(photos: Path, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bomb:
        for file in photos.rglob("*.png"):
            bomb.write(file, file.relative_to(photos))
        with bomb.open("cat/x.png", "w", force_zip64=True) as member:
            for _ in range(MOST_BYTES // 2**20 + 1):
                member.write(bytes(2**20))
    data = load_data(f"folder:{tmp_path / 'bomb.zip'}")
    words = r"cat/x\.png \(269,484,032 bytes; an image file has at most"
    with pytest.raises(DataError, match=words):
        decoded(data)
