"""Picture files of every kind, and what is none."""

import io
import threading
import time
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from synthreal.datasets import decoding
from synthreal.datasets.decoding import check_pictures, in_threads, picture_paths, read_pictures
from synthreal.errors import ConfigError, DatasetError

RED = (200, 30, 40)


def smooth(size=(40, 30)):
    """A picture that JPEG keeps nearly as it is."""
    x, y = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
    return Image.fromarray(np.stack([x, y, (x + y) / 2], 2).astype(np.uint8))


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.png", "a.bmp", "a.webp"])
def test_every_format(tmp_path, name):
    smooth().save(tmp_path / name, quality=95)
    images, kept = read_pictures([tmp_path / name], 30)
    expected = np.asarray(smooth())[:, 5:35].transpose(2, 0, 1)
    assert kept == [0]
    assert images.dtype == torch.uint8
    assert np.abs(images[0].numpy().astype(int) - expected).mean() < 4


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGB", RED, RED),
        ("L", 90, (90, 90, 90)),
        ("1", 1, (255, 255, 255)),
        ("RGBA", (*RED, 255), RED),
        ("LA", (90, 255), (90, 90, 90)),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
    ],
)
def test_every_mode_becomes_rgb(tmp_path, mode, colour, expected):
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new(mode, (20, 20), colour).save(path)
    image = read_pictures([path], 16)[0][0]
    assert (image.permute(1, 2, 0).int() - torch.tensor(expected)).abs().max() <= 2


def test_a_palette_with_transparency_becomes_rgb(tmp_path):
    image = Image.new("P", (20, 20), 1)
    image.putpalette([0, 0, 0, *RED])
    image.save(tmp_path / "a.png", transparency=bytes([0, 128]))
    assert read_pictures([tmp_path / "a.png"], 8)[0][0, :, 4, 4].tolist() == list(RED)


def test_16_bits_of_grey_become_8(tmp_path):
    ramp = np.tile(np.arange(0, 2**16, 256, dtype=np.uint16), (256, 1))
    Image.fromarray(ramp).save(tmp_path / "a.png")
    image = read_pictures([tmp_path / "a.png"], 256)[0][0]
    assert (image == torch.arange(256)).all()


def test_pictures_of_real_numbers_are_refused(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "a.png", "TIFF")
    with pytest.raises(DatasetError, match=r"a\.png: .*save it with 8 or 16 bits"):
        read_pictures([tmp_path / "a.png"], 8)


@pytest.mark.parametrize(("width", "height"), [(60, 20), (20, 60)])
def test_the_middle_is_kept_in_its_proportions(tmp_path, width, height):
    # Red, green and blue thirds: a square is the green one, and nothing is squeezed.
    thirds = np.zeros((20, 60, 3), np.uint8)
    for channel in range(3):
        thirds[:, 20 * channel : 20 * channel + 20, channel] = 255
    Image.fromarray(thirds if width > height else thirds.transpose(1, 0, 2)).save(tmp_path / "a.png")
    image = read_pictures([tmp_path / "a.png"], 10)[0][0]
    assert image[1, 1:-1, 1:-1].float().mean() == 255
    assert image[0].float().mean() < 10
    assert image[2].float().mean() < 10


def test_pictures_keep_their_order(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(20)]
    for i, path in enumerate(paths):
        Image.new("RGB", (8, 9), (10 * i, 0, 0)).save(path)
    images, kept = read_pictures(paths, 4)
    assert images[:, 0, 0, 0].tolist() == [10 * i for i in range(20)]
    assert kept == list(range(20))
    assert read_pictures([], 4)[0].shape == (0, 3, 4, 4)


def test_paths_are_sorted_and_nested_and_hidden_ones_left_out(tmp_path):
    for name in ("b.png", "a/c.JPG", "a/b/d.webp", ".hidden/e.png", "a/._f.jpg", "notes.txt", "Thumbs.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in picture_paths(tmp_path)]
    assert found == ["a/b/d.webp", "a/c.JPG", "b.png"]
    assert picture_paths(tmp_path / "nowhere") == []


def test_a_folder_below_a_hidden_one_is_not_hidden(tmp_path):
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "a.png").touch()
    assert len(picture_paths(tmp_path / ".cache")) == 1


@pytest.fixture
def mixed(tmp_path):
    """Two good pictures between one of text, one cut short, and one that is empty."""
    smooth().save(tmp_path / "0.png")
    smooth((200, 200)).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "2.png").write_text("no picture")
    smooth().save(tmp_path / "3.jpg")
    (tmp_path / "4.jpg").touch()
    return [tmp_path / name for name in ("0.png", "1.jpg", "2.png", "3.jpg", "4.jpg")]


def test_stop_names_the_first_broken_file(mixed):
    with pytest.raises(DatasetError, match=r"Not a picture: .*1\.jpg: .* and 2 more\. Remove it, or set corrupt"):
        read_pictures(mixed, 16)
    with pytest.raises(DatasetError, match=r"4\.jpg: [^;]*identify[^;]*\. Remove it"):
        read_pictures(mixed[-1:], 16)


def test_skip_warns_once_and_goes_on(mixed):
    with pytest.warns(UserWarning, match="3 of 5 pictures were skipped") as caught:
        images, kept = read_pictures(mixed, 16, "skip")
    (warning,) = caught
    assert all(name in str(warning.message) for name in ("1.jpg", "2.png", "4.jpg"))
    assert kept == [0, 3]
    assert (images[0].int() - images[1].int()).abs().float().mean() < 4


def test_nothing_left_is_an_error_even_with_skip(mixed):
    with pytest.raises(DatasetError, match="2 more"):
        read_pictures([mixed[1], mixed[2], mixed[4]], 16, "skip")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"gone\.png"):
        read_pictures([tmp_path / "gone.png"], 16)


def test_a_side_of_nothing(mixed):
    with pytest.raises(ConfigError, match="side is at least 1 pixel, not 0"):
        read_pictures(mixed[:1], 0)


@pytest.mark.parametrize("suffix", ["png", "jpeg", "bmp", "webp"])
def test_no_bytes_raise_anything_else(tmp_path, suffix):
    buffer = io.BytesIO()
    smooth().save(buffer, suffix)
    whole, draw, path = buffer.getvalue(), np.random.default_rng(0), tmp_path / f"a.{suffix}"
    broken = 0
    for _ in range(80):
        data = np.frombuffer(whole, np.uint8).copy()
        near = len(data) if draw.random() < 0.3 else min(len(data), 120)  # most of what can go wrong is at the start
        place = draw.integers(0, near, draw.integers(1, 6))
        data[place] = draw.integers(0, 256, len(place))
        path.write_bytes(data[: draw.integers(1, len(data) + 1) if draw.random() < 0.3 else None].tobytes())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert read_pictures([path], 8)[0].shape == (1, 3, 8, 8)
        except DatasetError as error:
            assert str(path) in str(error)
            broken += 1
    assert broken > 8


def test_a_photo_taken_sideways_is_turned_upright(tmp_path):
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8] = 255  # bright above
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned: show it turned by 90° clockwise
    image.save(tmp_path / "phone.png", exif=exif)
    (picture,), _ = read_pictures([tmp_path / "phone.png"], 16)
    assert picture[:, :, 10:].min() == 255 and picture[:, :, :6].max() == 0


def test_links_are_followed_but_not_in_circles(tmp_path):
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    smooth().save(tmp_path / "elsewhere" / "deep" / "a.png")
    root = tmp_path / "root"
    root.mkdir()
    (root / "more").symlink_to(tmp_path / "elsewhere")
    (root / "b.png").symlink_to(tmp_path / "elsewhere" / "deep" / "a.png")
    (root / "circle").symlink_to(root)
    (tmp_path / "elsewhere" / "up").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(root)  # in a circle of two links
    assert [path.relative_to(root).as_posix() for path in picture_paths(root)] == ["b.png", "more/deep/a.png"]


def test_checking_finds_what_reading_finds(mixed):
    with pytest.warns(UserWarning, match="3 of 5 pictures were skipped") as caught:
        assert check_pictures(mixed, 16, "skip") == [0, 3]
    assert len(caught) == 1
    with pytest.raises(DatasetError, match=r"Not a picture: .*2\.png: .* and 1 more\. Remove it"):
        check_pictures(mixed, 16)  # the header of the one cut short is good
    assert check_pictures([mixed[0], mixed[1], mixed[3]], 16) == [0, 1, 2]
    assert check_pictures([], 16) == []
    with pytest.raises(ConfigError, match="side is at least 1 pixel"):
        check_pictures(mixed[:1], 0)


def test_threads_keep_the_order_and_show_a_bar_where_there_is_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(decoding, "_WORTH_A_BAR", 50)
    assert in_threads(str, range(60), "Counting") == [str(i) for i in range(60)]
    assert capsys.readouterr().err == ""
    terminal = io.StringIO()
    monkeypatch.setattr(decoding, "Console", lambda stderr: Console(file=terminal, force_terminal=True, width=80))
    in_threads(str, range(49), "Counting")
    assert terminal.getvalue() == ""
    in_threads(str, range(50), "Counting")
    assert "Counting" in terminal.getvalue()


def test_a_worker_of_a_loader_uses_one_thread(monkeypatch):
    def busy(_):
        time.sleep(0.002)
        return threading.get_ident()

    assert len(set(in_threads(busy, range(20), "Working"))) > 1
    monkeypatch.setattr(decoding, "get_worker_info", object)
    assert len(set(in_threads(busy, range(20), "Working"))) == 1
