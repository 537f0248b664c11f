"""Static files: whole, in part, unchanged, and never from outside the folder."""

import http.client
import re
from contextlib import closing
from html import unescape
from pathlib import Path

import pytest

from endpointd.testing import DaemonStarter, PluginClient, PluginLoader

FOLDER = Path(__file__).parents[1]
PUBLIC = FOLDER / "public"
DIGITS = (PUBLIC / "digits.txt").read_bytes()


@pytest.fixture
def files(load_plugin: PluginLoader) -> PluginClient:
    return load_plugin()


def test_index_links_to_every_file(files: PluginClient) -> None:
    links = [unescape(link) for link in re.findall(r'href="(\./[^"]+)"', files.get("/").text)]
    served = {files.get(link.removeprefix(".")).data for link in links}
    assert len(links) == 4
    assert served == {path.read_bytes() for path in PUBLIC.rglob("*") if path.is_file()}


def test_file_comes_with_its_type_and_validators(files: PluginClient) -> None:
    answer = files.get("/pictures/rainbow.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.headers["content-length"] == str(len(answer.data))
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["accept-ranges"] == "bytes"
    assert {"etag", "last-modified"} <= {name for name, _ in answer.headers}


def test_head_tells_all_but_the_content(files: PluginClient) -> None:
    whole, head = files.get("/digits.txt"), files.head("/digits.txt")
    assert head.status_code == 200
    assert head.data == b""
    for name in ("content-length", "content-type", "etag", "last-modified"):
        assert head.headers[name] == whole.headers[name]


def test_unchanged_file_is_not_sent_again(files: PluginClient) -> None:
    first = files.get("/hello.txt")
    by_tag = files.get("/hello.txt", headers={"If-None-Match": first.headers["etag"]})
    by_date = files.get("/hello.txt", headers={"If-Modified-Since": first.headers["last-modified"]})
    changed = files.get("/hello.txt", headers={"If-None-Match": '"another"'})
    assert [answer.status_code for answer in (by_tag, by_date, changed)] == [304, 304, 200]
    assert by_tag.data == by_date.data == b""
    assert by_tag.headers["etag"] == first.headers["etag"]


def test_range_is_a_part(files: PluginClient) -> None:
    for asked, start, end in (("0-4", 0, 5), ("4990-", 4990, 5000), ("-7", 4993, 5000), ("4999-9999", 4999, 5000)):
        answer = files.get("/digits.txt", headers={"Range": f"bytes={asked}"})
        assert answer.status_code == 206, asked
        assert answer.data == DIGITS[start:end]
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DIGITS)}"
        assert answer.headers["content-length"] == str(end - start)


def test_range_beyond_the_end_cannot_be_satisfied(files: PluginClient) -> None:
    answer = files.get("/digits.txt", headers={"Range": "bytes=5000-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */5000"


def test_range_of_another_version_gives_the_whole_file(files: PluginClient) -> None:
    same = files.get("/digits.txt").headers["etag"]
    for tag, status, content in ((same, 206, DIGITS[:5]), ('"another"', 200, DIGITS)):
        answer = files.get("/digits.txt", headers={"Range": "bytes=0-4", "If-Range": tag})
        assert (answer.status_code, answer.data) == (status, content)


def test_what_is_no_file_is_not_found(files: PluginClient) -> None:
    for name in ("missing.txt", "pictures", "pictures/", "hello.txt/more"):
        assert files.get(f"/{name}").status_code == 404, name


def test_no_path_leads_out_of_the_folder(start_daemon: DaemonStarter) -> None:
    """Sent byte for byte, since clients tidy such paths up."""
    port = start_daemon.one(FOLDER).port
    names = (
        "../manifest.yaml",
        "%2e%2e/manifest.yaml",
        "..%2fmanifest.yaml",
        "%2E%2E%2Fmanifest.yaml",
        "pictures/../../manifest.yaml",
        "pictures/..%2f..%2fmanifest.yaml",
        "..%5cmanifest.yaml",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "%00/../../manifest.yaml",
        f"{FOLDER}/manifest.yaml",
    )
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        for name in names:
            connection.request("GET", f"/e/files/{name}")
            answer = connection.getresponse()
            answer.read()
            # 308: a doubled slash is first tidied up, and what it leads to is inside the folder again.
            assert answer.status in (308, 400, 404), name


def test_cache_time_is_the_settings(load_plugin: PluginLoader) -> None:
    client = load_plugin(settings={"cache_seconds": "0"})
    assert client.get("/hello.txt").headers["cache-control"] == "no-cache, max-age=0"


def test_a_setting_that_is_no_number_is_explained_in_the_log(load_plugin: PluginLoader) -> None:
    client = load_plugin(settings={"cache_seconds": "soon"})
    assert client.get("/hello.txt").status_code == 500
    assert "write a whole number of seconds" in client.log()
