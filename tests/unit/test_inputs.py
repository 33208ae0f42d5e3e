"""Inputs: everything is listed once, in order, without opening what is no file and without following folder links."""

from __future__ import annotations

import itertools
import os
import socket
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.errors import FileRefused, FileUnreadable
from detectors.inputs import find_inputs, read_file
from detectors.intake.limits import Limits

posix_only = pytest.mark.skipif(os.name == "nt", reason="needs POSIX links, pipes or permissions")


def listed(*paths: Path | str) -> list[tuple[str, str | None]]:
    return [(i.path, i.error and i.error.code) for i in find_inputs(str(p) for p in paths)]


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(name.encode())
    return folder


def test_folders_are_entered_and_sorted_per_folder(tmp_path: Path) -> None:
    fill(tmp_path, "b.jpg", "a/z.jpg", "a/b/c.png", "c.txt", "a.jpg")
    found = [os.path.relpath(path, tmp_path) for path, error in listed(tmp_path) if error is None]
    assert found == ["a/b/c.png", "a/z.jpg", "a.jpg", "b.jpg", "c.txt"]


def test_paths_stay_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "in/a.jpg")
    monkeypatch.chdir(tmp_path)
    assert listed("in") == [("in/a.jpg", None)]
    assert listed("./in/") == [("./in/a.jpg", None)]
    assert listed("in/a.jpg", "in/a.jpg") == [("in/a.jpg", None)] * 2


def test_is_lazy(tmp_path: Path) -> None:
    def paths():  # type: ignore[no-untyped-def]
        yield str(fill(tmp_path, "a.jpg") / "a.jpg")
        pytest.fail("drawn before it was needed")

    assert next(find_inputs(paths())).path.endswith("a.jpg")


def test_litter_is_left_out_of_folders_only(tmp_path: Path) -> None:
    fill(tmp_path, ".DS_Store", "Thumbs.db", "desktop.ini", ".hidden.jpg")
    assert [os.path.basename(p) for p, _ in listed(tmp_path)] == [".hidden.jpg"]
    assert listed(tmp_path / "Thumbs.db") == [(str(tmp_path / "Thumbs.db"), None)]


def test_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a1.jpg", "a2.jpg", "b.jpg", "d/e/a3.jpg", "x[1].jpg")
    monkeypatch.chdir(tmp_path)
    assert listed("a*.jpg") == [("a1.jpg", None), ("a2.jpg", None)]
    assert listed("**/a3.jpg") == [("d/e/a3.jpg", None)]
    assert listed("x[1].jpg") == [("x[1].jpg", None)], "a file of that name comes before the pattern"
    assert listed("nothing*.jpg") == [("nothing*.jpg", "no_such_file")]


@posix_only
def test_a_recursive_pattern_ends_where_links_loop(tmp_path: Path) -> None:
    """Two links to their own folder: following them would list 2 to the power of 40 paths."""
    fill(tmp_path, "a.jpg", "d/a.jpg", ".hidden/a.jpg")
    (tmp_path / "one").symlink_to(".")
    (tmp_path / "two").symlink_to("..")
    found = itertools.islice(find_inputs([str(tmp_path / "**" / "a.jpg")]), 100)
    assert [os.path.relpath(i.path, tmp_path) for i in found] == ["a.jpg", "d/a.jpg"]


@pytest.mark.parametrize("pattern", ["in/**", "in/**/*", "./in/**/*", "**/in", "in*/**/*.jpg", "**/in/**/*.jpg"])
def test_a_recursive_pattern_lists_each_file_once(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "in/a.jpg", "in/d/b.jpg", "in/d/e/c.jpg", "in/d-x.jpg")
    monkeypatch.chdir(tmp_path)
    names = [os.path.basename(path) for path, _ in listed(pattern)]
    assert sorted(names) == ["a.jpg", "b.jpg", "c.jpg", "d-x.jpg"]


@pytest.mark.parametrize("path", ["missing.jpg", "", "nul\0byte.jpg", "*\0"])
def test_missing(path: str) -> None:
    assert listed(path) == [(path, "no_such_file")]


def test_path_below_a_file(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    assert listed(tmp_path / "a.jpg" / "b.jpg")[0][1] == "no_such_file"


@posix_only
def test_name_too_long(tmp_path: Path) -> None:
    assert listed(tmp_path / ("x" * 300))[0][1] == "name_too_long"


@posix_only
def test_pipes_sockets_and_devices_are_refused_without_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    server = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(tmp_path)  # the name of a socket may be 100 bytes at most
    server.bind("s.jpg")
    monkeypatch.setattr(os, "open", lambda *a: pytest.fail("opened"))
    found = listed(tmp_path, "/dev/zero")
    server.close()
    assert [code for _, code in found] == ["not_a_regular_file"] * 3


@posix_only
def test_a_pipe_put_in_place_later_neither_hangs_nor_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(FileRefused) as e:
        read_file(str(tmp_path / "pipe.jpg"), Limits())
    assert e.value.code == "not_a_regular_file"


@posix_only
def test_links(tmp_path: Path) -> None:
    fill(tmp_path, "real/a.jpg")
    top = tmp_path / "top"
    top.mkdir()
    (top / "1-file").symlink_to(tmp_path / "real" / "a.jpg")
    (top / "2-folder").symlink_to(tmp_path / "real")
    (top / "3-broken").symlink_to(tmp_path / "nowhere")
    (top / "4-loop").symlink_to(top / "4-loop")
    (top / "5-up").symlink_to(top)
    codes = [None, "linked_folder", "broken_link", "broken_link", "linked_folder"]
    assert [code for _, code in listed(top)] == codes


@posix_only
def test_a_linked_folder_that_is_named_is_entered(tmp_path: Path) -> None:
    fill(tmp_path, "real/a.jpg")
    (tmp_path / "link").symlink_to("real")
    assert listed(tmp_path / "link") == [(str(tmp_path / "link" / "a.jpg"), None)]


def test_a_folder_named_like_a_picture_gets_a_line_and_its_files_too(tmp_path: Path) -> None:
    fill(tmp_path, "x.jpg/a.png", "y.d/b.png")
    found = listed(tmp_path)
    assert [code for _, code in found] == ["is_a_folder", None, None]
    assert found[1][0].endswith("a.png")


@posix_only
def test_long_and_odd_names(tmp_path: Path) -> None:
    odd = [b"\xff\xfe.jpg", b"x" * 246 + b".jpg", b"new\nline.jpg", "…é.jpg".encode(), b"-", b" "]
    for name in odd:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as f:
            f.write(b"!")
    found = listed(tmp_path)
    assert {os.fsencode(os.path.basename(p)) for p, _ in found} == set(odd)
    assert all(read_file(p, Limits()) == b"!" for p, _ in found)


@posix_only
def test_deeper_than_python_recurses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(sys.getrecursionlimit() + 200):
        os.mkdir("d")
        os.chdir("d")
    Path("a.jpg").write_bytes(b"!")
    os.chdir(tmp_path)
    assert listed("d") == [("d/" * (sys.getrecursionlimit() + 200) + "a.jpg", None)]
    os.chdir("d")  # for clean-up, which recurses
    for _ in range(sys.getrecursionlimit() + 199):
        os.chdir("d")
    os.remove("a.jpg")
    while not os.path.samefile(os.getcwd(), tmp_path):
        os.chdir("..")
        os.rmdir("d")


def denied(*args: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listdir", denied)
    assert listed(tmp_path) == [(str(tmp_path), "no_permission")]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PermissionError(13, "Permission denied"), "no_permission"),
        (FileNotFoundError(2, "gone"), "no_such_file"),
        (OSError(6, "no device"), "not_a_regular_file"),
        (OSError(5, "Input/output error"), "open_failed"),
        (IsADirectoryError(21, "folder"), "is_a_folder"),
    ],
)
def test_what_stops_opening_is_said(error: OSError, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: object) -> int:
        raise error

    monkeypatch.setattr(os, "open", fails)
    with pytest.raises((FileRefused, FileUnreadable)) as e:
        read_file("a.jpg", Limits())
    assert e.value.code == code
    assert e.value.remedy


@posix_only
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may open everything")
def test_unreadable_file(tmp_path: Path) -> None:
    (fill(tmp_path, "a.jpg") / "a.jpg").chmod(0)
    with pytest.raises(FileUnreadable) as e:
        read_file(str(tmp_path / "a.jpg"), Limits())
    assert e.value.code == "no_permission"


def test_read_error_midway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a.jpg")
    monkeypatch.setattr(os, "read", denied)
    with pytest.raises(FileUnreadable) as e:
        read_file(str(tmp_path / "a.jpg"), Limits())
    assert e.value.code == "read_failed"


def test_byte_limit_is_exact_and_checked_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(bytes(1000))
    assert len(read_file(str(tmp_path / "a"), Limits(max_bytes=1000))) == 1000
    monkeypatch.setattr(os, "read", lambda *a: pytest.fail("read"))
    with pytest.raises(FileRefused) as e:
        read_file(str(tmp_path / "a"), Limits(max_bytes=999))
    assert e.value.code == "too_many_bytes"


@posix_only
def test_byte_limit_holds_for_a_file_that_says_it_is_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(bytes(300_000))
    real = os.fstat

    def smaller(fd: int) -> os.stat_result:
        fields = list(real(fd))
        fields[stat.ST_SIZE] = 10
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", smaller)
    assert len(read_file(str(tmp_path / "a"), Limits(max_bytes=300_000))) == 300_000
    with pytest.raises(FileRefused):
        read_file(str(tmp_path / "a"), Limits(max_bytes=200_000))


@posix_only
def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(1000))
    os.mkfifo(tmp_path / "p")
    before = len(os.listdir("/dev/fd"))
    read_file(str(tmp_path / "a"), Limits())
    for path, limits in (("p", Limits()), ("a", Limits(max_bytes=1))):
        with pytest.raises(FileRefused):
            read_file(str(tmp_path / path), limits)
    assert len(os.listdir("/dev/fd")) == before


@given(st.lists(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=40), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
def test_every_file_is_listed_exactly_once(tmp_path: Path, names: list[str]) -> None:
    folder = tmp_path / os.urandom(8).hex()
    folder.mkdir()
    wanted = set()
    for name in names:
        if (
            name in (".", "..")
            or name.lower() in (".ds_store", "thumbs.db", "desktop.ini")
            or len(os.fsencode(name)) > 255
        ):
            continue
        (folder / name).write_bytes(b"")
        wanted.add(str(folder / name))
    found = [path for path, _ in listed(folder)]
    assert sorted(found) == sorted(wanted)
    assert found == sorted(found)
