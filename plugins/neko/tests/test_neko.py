"""The cat in a worker of its own: its page, its pictures, its settings."""

import random
import re
import runpy
import struct
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from endpointd.testing import PluginClient, PluginLoader

FOLDER = Path(__file__).parents[1]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def neko(load_plugin: PluginLoader) -> PluginClient:
    return load_plugin()


def test_page_is_whole_in_itself(neko: PluginClient) -> None:
    page = neko.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>Nyan!</h1>" in page.text
    assert "prefers-color-scheme: dark" in page.text
    assert "prefers-reduced-motion" in page.text
    foreign = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", page.text)) - {"http://www.w3.org"}
    assert not foreign


def test_everything_the_page_links_to_answers(neko: PluginClient) -> None:
    links = set(re.findall(r'href="([^"]+)"', neko.get("/").text))
    assert "cat.svg" in links
    assert {neko.get(f"/{link}").status_code for link in links} == {200}


def test_svg_is_well_formed_and_moves(neko: PluginClient) -> None:
    answer = neko.get("/cat.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    drawing = ElementTree.fromstring(answer.data)
    assert drawing.tag == f"{SVG}svg"
    assert "@keyframes" in drawing.findtext(f"{SVG}style", "")
    assert len(drawing.findall(f"{SVG}g[@class='neko-pose']")) == 2


def test_gif_is_sent_as_a_stream_of_moving_frames_for_ever(neko: PluginClient) -> None:
    answer = neko.get("/cat/128.gif")
    assert answer.headers["content-type"] == "image/gif"
    assert "content-length" not in answer.headers
    gif = read_gif(answer.data)
    assert (gif.width, gif.height, gif.repeats) == (128, 64, 0)
    assert len(gif.frames) == len(set(gif.frames)) == 16
    assert {len(frame) for frame in gif.frames} == {128 * 64}
    assert set(gif.delays) == {8}


def test_gif_and_svg_have_the_same_sky(neko: PluginClient) -> None:
    gif = read_gif(neko.get("/cat/64.gif").data)
    rectangle = ElementTree.fromstring(neko.get("/cat.svg").data).find(f"{SVG}rect")
    assert rectangle is not None
    assert gif.colours[gif.frames[0][0]] == rectangle.get("fill")


def test_a_large_gif_is_the_small_one_enlarged(neko: PluginClient) -> None:
    small = read_gif(neko.get("/cat/64.gif").data)
    large = read_gif(neko.get("/cat/640.gif").data)
    assert (large.width, large.height) == (640, 320)
    for few, many in zip(small.frames, large.frames, strict=True):
        assert b"".join(many[row * 640 : (row + 1) * 640 : 10] for row in range(0, 320, 10)) == few


def test_gif_of_noise_uses_up_its_codes_and_begins_anew() -> None:
    """A picture that repeats nothing: a few thousand pixels already need more codes than the format has."""
    gif = runpy.run_path(str(FOLDER / "drawing" / "gif.py"))
    colours = [f"#{shade:02x}0000" for shade in range(16)]
    pixels = bytes(random.Random(0).choices(range(16), k=300 * 200))
    header, frame = gif["header"](300, 200, colours), gif["frame"](pixels, 300, 200, colours, 0.5)
    read = read_gif(header + frame + gif["TRAILER"])
    assert read.frames == [pixels]
    assert read.colours == colours


def test_a_width_that_the_path_does_not_allow_is_not_found(neko: PluginClient) -> None:
    for width in ("63", "641", "0", "-64", "wide"):
        assert neko.get(f"/cat/{width}.gif").status_code == 404, width


def test_greets_by_name_in_any_script(neko: PluginClient) -> None:
    assert neko.get("/nyan/Ada").text == "Nyan! Ada\n"
    assert neko.get("/nyan/猫 と <b>").text == "Nyan! 猫 と <b>\n"


def test_hidden_interface_answers(neko: PluginClient) -> None:
    lines = neko.get("/purr").text.splitlines()
    assert len(lines) == 9
    assert lines == sorted(lines, key=len)


def test_settings_change_words_and_pictures(load_plugin: PluginLoader) -> None:
    usual = load_plugin()
    changed = load_plugin(settings={"greeting": "Purr & <sleep>", "scheme": "candy", "stars": False})
    assert "<h1>Purr &amp; &lt;sleep&gt;</h1>" in changed.get("/").text
    assert changed.get("/nyan/Ada").text == "Purr & <sleep> Ada\n"
    assert 'class="neko-stars"' in usual.get("/cat.svg").text
    assert 'class="neko-stars"' not in changed.get("/cat.svg").text
    with_stars, without = (read_gif(client.get("/cat/64.gif").data) for client in (usual, changed))
    assert with_stars.colours != without.colours
    assert with_stars.frames != without.frames


@dataclass
class Gif:
    """What a reader of GIF89a makes of a file."""

    width: int
    height: int
    colours: list[str]
    repeats: int | None
    delays: list[int]
    frames: list[bytes]


def read_gif(data: bytes) -> Gif:
    """Read the whole file, every block of it; anything but a correct one fails."""
    assert data[:6] == b"GIF89a"
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    assert flags & 0x80
    end = 13 + (3 << (flags & 7) + 1)
    gif = Gif(width, height, [f"#{data[i : i + 3].hex()}" for i in range(13, end, 3)], None, [], [])
    while data[end : end + 1] != b";":
        end = read_extension(gif, data, end) if data[end] == 0x21 else read_picture(gif, data, end)
    assert end == len(data) - 1
    return gif


def read_extension(gif: Gif, data: bytes, start: int) -> int:
    label = data[start + 1]
    if label == 0xFF:
        assert data[start + 2 : start + 14] == b"\x0bNETSCAPE2.0"
        content, end = read_blocks(data, start + 14)
        gif.repeats = struct.unpack("<BH", content)[1]
        return end
    assert label == 0xF9
    content, end = read_blocks(data, start + 2)
    gif.delays.append(struct.unpack("<BHB", content)[1])
    return end


def read_picture(gif: Gif, data: bytes, start: int) -> int:
    assert struct.unpack_from("<BHHHHB", data, start) == (0x2C, 0, 0, gif.width, gif.height, 0)
    content, end = read_blocks(data, start + 11)
    gif.frames.append(decompress(content, data[start + 10]))
    return end


def read_blocks(data: bytes, start: int) -> tuple[bytes, int]:
    content = b""
    while length := data[start]:
        content += data[start + 1 : start + 1 + length]
        start += 1 + length
    return content, start + 1


def decompress(content: bytes, depth: int) -> bytes:
    """LZW as GIF has it; the code that ends the picture must lie in the last byte."""
    bits, clear = int.from_bytes(content, "little"), 1 << depth
    roots = [bytes([pixel]) for pixel in range(clear)] + [b"", b""]
    runs, before, position = list(roots), b"", 0
    pixels = bytearray()
    while True:
        width = min(12, len(runs).bit_length())
        code = bits >> position & (1 << width) - 1
        position += width
        assert position <= 8 * len(content)
        if code == clear + 1:
            break
        if code == clear:
            runs, before = list(roots), b""
            continue
        if before:
            runs.append(before + (runs[code] if code < len(runs) else before)[:1])
        before = runs[code]
        pixels += before
    assert position > 8 * (len(content) - 1)
    return bytes(pixels)
