"""Photos in folders as a source: what is found, read and refused."""

import errno
import io
import os
import shutil

import numpy as np
import photo_folder
import pytest
from PIL import Image

from kresnet.cli import app, run
from kresnet.data import decode, open_source
from kresnet.data.decode import opened_file
from kresnet.data.folder import Folder
from kresnet.data.survey import survey
from kresnet.errors import BadDataError, InputMissingError, SpecError
from kresnet.prediction import read_image
from kresnet.spec import DATASETS, load_spec

FACTS = DATASETS["folder"]
KEYS = np.arange(27, dtype=np.uint64) << np.uint64(40)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photo_folder.write_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def copy(photos, tmp_path):
    """A copy of the photos that may be damaged."""
    return shutil.copytree(photos, tmp_path / "copy")


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    path = photo_folder.write_spec(tmp_path_factory.mktemp("spec") / "s.yaml")
    return lambda *changes: load_spec(path, changes)


@pytest.fixture
def open_photos(load):
    return lambda root, *changes: open_source(load(*changes), root)


def test_classes_are_the_folders_and_files_stand_in_order(open_photos, photos):
    source = open_photos(photos)

    assert source.class_names == photo_folder.CLASSES
    assert source.labels("train").tolist() == [0] * 9 + [1] * 9 + [2] * 9
    names = source.splits["train"].names
    assert names == sorted(names)
    assert names[0] == "apple/0.jpg"


def test_pixels_do_not_depend_on_threads_order_or_company(load, photos):
    spec = load()
    source = open_source(spec, photos)
    others = Folder(
        spec.data, source.splits, source.class_names, source.shape, threads=4
    )
    indices = np.arange(27)

    whole = source.read("train", indices, KEYS)

    assert whole.shape == (27, 16, 16, 3)
    np.testing.assert_array_equal(others.read("train", indices, KEYS), whole)
    backwards = source.read("train", indices[::-1], KEYS[::-1])
    np.testing.assert_array_equal(backwards[::-1], whole)
    alone = source.read("train", indices[5:6], KEYS[5:6])
    np.testing.assert_array_equal(alone, whole[5:6])
    assert (source.read("train", indices, KEYS + np.uint64(1)) != whole).any()


def test_a_test_image_is_what_predict_makes_of_its_file(open_photos, photos):
    source = open_photos(photos)
    files = source.splits["test"]
    got = source.read("test", slice(None))

    for name, pixels in zip(files.names, got, strict=True):
        want, _ = read_image(
            files.folder / name,
            source.shape,
            DATASETS["folder"],
            source.views.test,
        )
        np.testing.assert_array_equal(pixels, want)


@pytest.mark.parametrize("keys", [None, KEYS[:9]])
def test_a_photo_turned_by_exif_is_seen_upright(open_photos, copy, keys):
    """A PNG, since a JPEG would be coded anew."""
    path = copy / "train" / "apple" / "1.png"
    before = open_photos(copy).read("train", np.arange(9), keys)
    image = Image.open(path)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter to the right to see it
    image.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)

    after = open_photos(copy).read("train", np.arange(9), keys)

    np.testing.assert_array_equal(after, before)


def test_a_large_jpeg_is_shrunk_while_decoded_in_training_only(
    open_photos, copy, monkeypatch
):
    path = copy / "train" / "apple" / "0.jpg"
    ramp = np.linspace(0, 255, 800, dtype="uint8")
    pixels = np.stack([np.tile(ramp, (600, 1))] * 3, axis=-1)
    Image.fromarray(pixels).save(path, quality=95)
    source = open_photos(copy)
    calls = []
    draft = Image.Image.draft
    from PIL.JpegImagePlugin import JpegImageFile

    draft = JpegImageFile.draft

    def noted(self, mode, size):
        calls.append(size)
        return draft(self, mode, size)

    monkeypatch.setattr(JpegImageFile, "draft", noted)
    source.read("train", np.array([0]))
    assert not calls
    drawn = source.read("train", np.array([0]), KEYS[:1])
    assert calls
    monkeypatch.setattr(JpegImageFile, "draft", lambda *_: None)
    whole = source.read("train", np.array([0]), KEYS[:1])
    # The same box: a ramp differs by what a filter makes of it.
    assert np.abs(drawn.astype(int) - whole).max() <= 4


def test_the_path_is_no_part_of_the_identity_but_names_and_sizes_are(
    open_photos, photos, copy
):
    fingerprint = open_photos(photos).fingerprint
    assert open_photos(copy).fingerprint == fingerprint

    (copy / "test" / "apple" / "0.jpg").rename(copy / "test/apple/9.jpg")
    renamed = open_photos(copy).fingerprint
    with (copy / "test" / "apple" / "9.jpg").open("ab") as file:
        file.write(b"\0")

    assert len({fingerprint, renamed, open_photos(copy).fingerprint}) == 3


def test_val_is_for_tests_or_beside_test_for_validation(open_photos, copy):
    shutil.copytree(copy / "test", copy / "val")
    (copy / "val" / "apple" / "0.jpg").unlink()

    train, held_out = open_photos(copy).parts(0)
    assert (len(train), len(held_out), held_out.split) == (27, 26, "validation")
    with pytest.raises(SpecError, match=r"data\.validation: must be 0"):
        open_photos(copy, "data.validation=5")

    shutil.rmtree(copy / "test")
    source = open_photos(copy, "data.validation=5")
    assert len(source.labels("test")) == 26
    assert [len(part) for part in source.parts(5)] == [22, 5]


def test_statistics_are_of_some_training_images(open_photos, photos):
    train, _ = open_photos(photos).parts(0)
    more, _ = open_photos(photos, "data.statistics=25").parts(0)

    assert len(train.measured) == 20
    assert set(train.measured.indices) < set(more.measured.indices)


def test_other_files_are_passed_over_with_a_word(open_photos, copy, capsys):
    (copy / "train" / "apple" / "Thumbs.db").write_text("x")
    (copy / "train" / "apple" / ".DS_Store").write_text("x")

    assert len(open_photos(copy).labels("train")) == 27
    said = capsys.readouterr().err
    assert "train: 1 file is passed over, such as apple/Thumbs.db" in said


def test_photos_beside_the_folders_of_classes_are_passed_over_with_a_word(
    open_photos, copy, capsys
):
    shutil.copy(copy / "train/apple/0.jpg", copy / "test" / "0.jpg")
    shutil.copy(copy / "train/apple/0.jpg", copy / "test" / "1.jpg")

    assert len(open_photos(copy).labels("test")) == 27
    said = capsys.readouterr().err
    assert "test: 2 files are passed over, such as 0.jpg; images are" in said


def break_photo(content):
    def change(root):
        (root / "train" / "öl" / "2.webp").write_bytes(content)

    return change


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (
            lambda r: shutil.rmtree(r / "train"),
            InputMissingError,
            "train: ther",
        ),
        (lambda r: shutil.rmtree(r / "test"), InputMissingError, "no folder t"),
        (
            lambda r: [p.unlink() for p in (r / "train" / "öl").iterdir()],
            BadDataError,
            "öl: holds no images",
        ),
        (
            lambda r: (r / "test" / "öl").rename(r / "test" / "oil"),
            BadDataError,
            "oil: must be one of the 3 classes",
        ),
        (
            lambda r: (r / "train" / "zoo").mkdir(),
            BadDataError,
            "zoo: holds no images",
        ),
        (
            lambda r: (
                shutil.copytree(r / "test", r / "val"),
                shutil.copytree(r / "test", r / "validation"),
            ),
            BadDataError,
            "both val/ and validation/",
        ),
        (
            lambda r: (
                (r / "test" / "öl").rename(r / "moved"),
                (r / "test" / "öl").symlink_to("gone"),
            ),
            InputMissingError,
            "öl: cannot be read: No such file",
        ),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(
    open_photos, copy, change, error, words
):
    change(copy)

    with pytest.raises(error) as caught:
        open_photos(copy)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("model.classes=4", "model.classes: must be 3, the classes of folder"),
        ("data.validation=27", "data.validation: must be below 27"),
        ("data.validation=20", "training.batch_size: must be at most 7"),
    ],
)
def test_what_only_the_folder_knows_is_checked_when_it_opens(
    open_photos, photos, change, words
):
    with pytest.raises(SpecError) as caught:
        open_photos(photos, change)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"no image", b"RIFF\x10\0\0\0WEBPVP8 "]
)
@pytest.mark.parametrize("keys", [None, KEYS])
def test_a_broken_photo_is_named(open_photos, copy, content, keys):
    break_photo(content)(copy)

    with pytest.raises(BadDataError, match=r"2\.webp: "):
        open_photos(copy).read("train", np.arange(27), keys)


def test_a_photo_that_vanishes_or_changes_is_named(open_photos, copy):
    source = open_photos(copy)
    path = copy / "train" / "öl" / "2.webp"
    with path.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BadDataError, match=r"2\.webp: has changed: it had"):
        source.read("train", np.arange(27))

    path.unlink()
    with pytest.raises(InputMissingError, match=r"2\.webp: there is no such"):
        source.read("train", np.arange(27))


class BrokenFile(io.FileIO):
    """A file on a disk that fails, after some bytes."""

    def read(self, size=-1):
        if size in (-1, None) or self.tell() > 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(size)

    readall = read


def test_a_disk_that_fails_is_named_with_the_photo(
    open_photos, copy, monkeypatch
):
    """In training, in `kresnet data` and in `predict`; the photo is sound."""
    monkeypatch.setattr(
        decode, "open", lambda path, mode: BrokenFile(path), raising=False
    )
    why = "cannot be read: Input/output error"

    with pytest.raises(InputMissingError, match=rf"apple/0\.\w+: {why}"):
        open_photos(copy).read("train", np.arange(27))
    for verify in (False, True):
        found = survey(copy, verify=verify)
        assert {str(reason) for _, reason in found.broken} == {why}
    path = copy / "train" / "öl" / "2.webp"
    with pytest.raises(InputMissingError, match=why):
        read_image(path, (8, 8, 3), FACTS)


def test_an_offset_that_no_file_has_is_damage_and_no_fault_of_the_disk(photos):
    with (
        pytest.raises(BadDataError, match="damaged: "),
        opened_file(photos / "train" / "öl" / "2.webp") as file,
        decode.opened_image(file),
    ):
        file.seek(-1)


def test_modes_are_treated_as_predict_does(open_photos, copy):
    """Grey, palette, transparent, 16 bits and CMYK, one pixel, 20,000 wide."""
    folder = copy / "train" / "apple"
    rng = np.random.default_rng(1)
    rgba = Image.fromarray(rng.integers(0, 256, (40, 50, 4)).astype("uint8"))
    rgba.save(folder / "a.png")
    rgba.convert("LA").save(folder / "b.png")
    rgba.convert("RGB").convert("P").save(folder / "c.png")
    rgba.convert("CMYK").save(folder / "d.jpg")
    Image.new("RGB", (1, 1), (1, 2, 3)).save(folder / "e.png")
    Image.new("RGB", (20_000, 3), (3, 2, 1)).save(folder / "g.png")
    deep = rng.integers(0, 2**16, (40, 50)).astype("uint16")
    Image.fromarray(deep).save(folder / "f.png")
    source = open_photos(copy)
    names = source.splits["train"].names
    places = np.array(
        [
            names.index(f"apple/{n}")
            for n in (
                "a.png",
                "b.png",
                "c.png",
                "d.jpg",
                "e.png",
                "f.png",
                "g.png",
            )
        ]
    )

    got = source.read("train", places)

    for place, pixels in zip(places, got, strict=True):
        path = copy / "train" / names[place]
        want, _ = read_image(path, source.shape, FACTS, source.views.test)
        np.testing.assert_array_equal(pixels, want)
    assert (got[4] == (1, 2, 3)).all()
    assert (got[6] == (3, 2, 1)).all()
    source.read("train", places, KEYS[:7])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("cache")
def test_a_survey_finds_counts_modes_damage_and_duplicates(copy):
    shutil.copy(copy / "train/apple/0.jpg", copy / "test/apple/x.jpg")
    (copy / "test" / "öl" / "z.png").write_text("no image")
    (copy / "test" / "öl" / "notes.txt").write_text("x")

    found = survey(copy)

    assert found.counts == {"train": [9, 9, 9], "test": [10, 9, 10]}
    assert found.modes == {"RGB": 55}
    assert found.passed_over == {"train": [], "test": ["öl/notes.txt"]}
    (pair,) = found.duplicates
    assert [path.rpartition("/")[2] for path in pair] == ["0.jpg", "x.jpg"]
    assert [path[-5:] for path, _ in found.broken] == ["z.png"]
    assert survey(copy, verify=True).sums is None


@pytest.mark.usefixtures("cache")
def test_damage_that_no_decoder_notices_is_found_by_stored_sums(
    open_photos, copy
):
    sums = survey(copy, verify=True).sums
    assert sums
    source = open_photos(copy)
    before = source.read("train", slice(None))
    path = copy / "train" / "apple" / "0.jpg"
    content = bytearray(path.read_bytes())
    content[-60] ^= 4
    path.write_bytes(content)

    with pytest.raises(
        BadDataError, match=r"0\.jpg: is damaged: its sum"
    ) as caught:
        source.read("train", slice(None))
    assert str(caught.value).endswith(f"stored in {sums}")
    with pytest.raises(BadDataError, match=r"apple/0\.jpg: the sum is not"):
        survey(copy, verify=True)
    np.testing.assert_array_equal(
        source.read("train", slice(1, None)), before[1:]
    )


@pytest.mark.usefixtures("cache")
def test_the_command_lists_a_folder_and_ends_with_65_where_it_is_damaged(
    copy, capsys
):
    assert run(app, ["data", str(copy), "--verify"]) == 0
    said = capsys.readouterr().out
    assert "images" in said
    assert "decoded all" in said

    path = copy / "train" / "apple" / "1.png"
    path.write_bytes(path.read_bytes()[:-200])
    assert run(app, ["data", str(copy), "--verify"]) == 65
    assert "1.png: damaged" in capsys.readouterr().err
    assert run(app, ["data", str(copy / "train")]) == 66


@pytest.mark.usefixtures("cache")
def test_a_pipe_named_like_an_image_does_not_block_the_search_for_duplicates(
    copy,
):
    """Both are of 0 bytes."""
    os.mkfifo(copy / "train" / "apple" / "pipe.jpg")
    (copy / "test" / "apple" / "empty.jpg").touch()

    found = survey(copy)

    assert [str(why) for _, why in found.broken] == [
        "not a file",
        "the file is empty",
    ]


@pytest.mark.usefixtures("cache")
def test_the_command_ends_with_66_where_files_are_only_missing(
    copy, monkeypatch, capsys
):
    def opened(path):
        if path.endswith("0.jpg"):
            raise InputMissingError("cannot be opened: Permission denied")
        return opened_file(path)

    monkeypatch.setattr("kresnet.data.survey.opened_file", opened)

    assert run(app, ["data", str(copy)]) == 66
    assert "6 images cannot be read" in capsys.readouterr().err


@pytest.mark.usefixtures("cache")
def test_an_empty_name_of_a_folder_is_refused(monkeypatch, capsys):
    """An unset variable of a shell must not become another folder."""
    monkeypatch.setenv("KRESNET_DATA_DIR", "elsewhere")

    assert run(app, ["data", ""]) == 2
    assert run(app, ["train", "digits", "--data-dir", ""]) == 2

    said = capsys.readouterr().err
    assert 'DIR: must name a folder. Received: ""' in said
    assert '--data-dir: must name a folder. Received: ""' in said


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("side", [9_500, 14_000])
def test_an_image_that_training_refuses_by_its_size_is_named(copy, side):
    """Of more than twice as many pixels Pillow itself opens none."""
    photo = copy / "train" / "apple" / "large.png"
    Image.new("1", (side, side)).save(photo)

    for verify in (False, True):
        ((path, why),) = survey(copy, verify).broken
        assert path == str(photo)
        assert "would unpack to more than 89,478,485 pixels" in str(why)
