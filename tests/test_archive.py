"""Each test of the frame is named for the one lie its file tells."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from crafted_zip import Part, craft
from pocketrec.archive import ALIGNMENT, CENTRAL, MAX_ENTRIES, read_archive
from pocketrec.errors import PackageError

GOOD = [Part(b"manifest.json", b"{}"), Part(b"a/b.value", b"12345"), Part(b"empty", b"")]


def refused(package: bytes, message: str) -> None:
    with pytest.raises(PackageError, match=message):
        read_archive(memoryview(package))


def with_part(**changes: object) -> list[Part]:
    return [GOOD[0], Part(**{"name": b"a/b.value", "data": b"12345", **changes}), GOOD[2]]  # type: ignore[arg-type]


def test_good_file() -> None:
    data = craft(GOOD)
    entries = read_archive(memoryview(data))
    assert [(e.name, data[e.offset : e.offset + e.size]) for e in entries] == [
        ("manifest.json", b"{}"),
        ("a/b.value", b"12345"),
        ("empty", b""),
    ]
    assert all(entry.offset % ALIGNMENT == 0 for entry in entries)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None


@pytest.mark.parametrize("data", [b"", b"PK", b"hello, world" * 9, bytes(22), b"PK\x03\x04" + bytes(99)])
def test_not_a_zip(data: bytes) -> None:
    refused(data, r"no ZIP end record in its last 22 of \d+ bytes")


def test_every_truncation() -> None:
    data = craft(GOOD)
    for size in range(len(data)):
        refused(data[:size], "no ZIP end record")


def test_bytes_after_the_end() -> None:
    refused(craft(GOOD, tail=b"\0"), "cut short or has bytes after its end")


def test_bytes_before_the_start() -> None:
    refused(b"\x7fELF" + craft(GOOD), "directory covers bytes")
    refused(craft([Part(b"manifest.json", b"{}", before=b"\x7fELF")]), "starts at byte 4, expected 0")


def test_archive_comment() -> None:
    refused(craft(GOOD, comment_size=1), "several disks or a comment")


@pytest.mark.parametrize("field", ["disk", "disk_of_directory", "here"])
def test_several_disks(field: str) -> None:
    end: dict[str, Any] = {field: 1}
    refused(craft(GOOD, **end), "several disks")
    refused(craft(with_part(central={"disk": 1})), "disk 1")


def test_zip64_markers() -> None:
    refused(craft(GOOD, count=0xFFFF, here=0xFFFF), "65535 entries")
    refused(craft(GOOD, offset=0xFFFFFFFF), "directory covers")
    refused(craft(with_part(both={"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF})), "declares 4294967295 bytes")


def test_no_entries_and_too_many() -> None:
    refused(craft([]), "0 entries")
    many = [Part(b"manifest.json", b"")] + [Part(b"e%d" % i, b"") for i in range(MAX_ENTRIES)]
    refused(craft(many), f"{MAX_ENTRIES + 1} entries")
    assert len(read_archive(memoryview(craft(many[:-1])))) == MAX_ENTRIES


def test_directory_lists_fewer_or_more_than_it_says() -> None:
    refused(craft(GOOD, here=2, count=2), "belong to no entry")
    refused(craft(GOOD, here=4, count=4), "cut short")
    refused(craft(GOOD, directory_tail=b"hidden"), "belong to no entry")


def test_directory_record_damaged() -> None:
    data = bytearray(craft(GOOD))
    data[data.rindex(b"PK\x01\x02")] ^= 1
    refused(bytes(data), "directory is damaged")


@pytest.mark.parametrize("size", [0xFFFF, 200])
def test_name_that_runs_out_of_the_directory(size: int) -> None:
    refused(craft([Part(b"manifest.json", b"{}", central={"name_size": size})]), "directory is damaged")


def test_entry_comment() -> None:
    refused(craft([*GOOD[:2], Part(b"empty", b"", central={"comment_size": 3})], directory_tail=b"abc"), "a comment")


def test_extra_field_that_runs_out_of_the_directory() -> None:
    refused(craft([*GOOD[:2], Part(b"empty", b"", central={"extra_size": 500})]), "belong to no entry")


@pytest.mark.parametrize(
    "name",
    [
        b"../evil",
        b"a/../evil",
        b"a/..",
        b"..",
        b".",
        b"./a",
        b"/etc/passwd",
        b"C:evil",
        b"a\\b",
        b"a\0b",
        b"caf\xc3\xa9",
        b"\xff",
        b"a//b",
        b"a/",
        b"",
        b"a\n",
        b".hidden",
        b"a b",
        b"a" * 256,
    ],
)
def test_name_that_is_not_a_plain_path(name: bytes) -> None:
    refused(craft(with_part(name=name)), "is not allowed")


def test_name_twice() -> None:
    refused(craft([*GOOD, Part(b"a/b.value", b"other")]), "'a/b.value' appears twice")


def test_manifest_not_first() -> None:
    refused(craft(GOOD[1:]), "first entry is 'a/b.value', expected 'manifest.json'")


@pytest.mark.parametrize("method", [8, 12, 93, 0xFFFF])
def test_compressed(method: int) -> None:
    refused(craft(with_part(both={"method": method})), f"compressed .method {method}.")
    refused(craft(with_part(central={"method": method})), "compressed")
    refused(craft(with_part(local={"method": method})), "two ZIP headers .* disagree")


def test_stored_but_two_sizes() -> None:
    refused(craft(with_part(both={"packed": 4})), "compressed")


@pytest.mark.parametrize("flags", [1, 8, 0x800, 0x2000])
def test_encrypted_streamed_or_other_flags(flags: int) -> None:
    refused(craft(with_part(both={"flags": flags})), "flags 0x")
    refused(craft(with_part(local={"flags": flags})), "disagree")


@pytest.mark.parametrize("field", ["crc", "size", "packed"])
def test_local_header_disagrees(field: str) -> None:
    refused(craft(with_part(local={field: 4})), "two ZIP headers of entry 'a/b.value' disagree")


def test_local_header_has_another_name() -> None:
    refused(craft(with_part(local_name=b"a/b.valve")), "disagree")


def test_local_header_missing() -> None:
    data = bytearray(craft(GOOD))
    data[0] ^= 1
    refused(bytes(data), "disagree")


def test_gap_between_entries() -> None:
    refused(craft(with_part(before=b"hidden bytes")), "expected .* no gap, no overlap")


def test_gap_before_the_directory() -> None:
    data = craft(GOOD[:2])
    cut = data.index(b"PK\x01\x02")
    end = bytearray(data[-22:])
    end[16:20] = (cut + 6).to_bytes(4, "little")
    refused(data[:cut] + b"hidden" + data[cut:-22] + bytes(end), "belong to no entry")


def test_overlapping_entries() -> None:
    refused(craft([*GOOD[:2], Part(b"twin", b"12345", central={"offset": 64})]), "no gap, no overlap")
    refused(craft([GOOD[0], Part(b"twin", b"{}", central={"offset": 0})]), "no gap, no overlap")


@pytest.mark.parametrize("offset", [0x7FFFFFFF, 0xFFFFFFFF])
def test_entry_past_the_end(offset: int) -> None:
    refused(craft(with_part(central={"offset": offset})), "no gap, no overlap")


def test_entry_that_starts_in_the_directory() -> None:
    data = craft(GOOD[:1])
    cut = data.index(b"PK\x01\x02")
    directory = data[cut : cut + CENTRAL.size + len(b"manifest.json")]
    end = bytearray(data[-22:])
    end[16:20] = bytes(4)  # the directory begins at byte 0: there is no room for any entry
    refused(directory + bytes(end), "starts past the end")


@pytest.mark.parametrize("size", [6, 70, 4_000_000_000])
def test_entry_that_declares_more_than_follows(size: int) -> None:
    parts = [*GOOD[:1], Part(b"big", b"12345", both={"size": size, "packed": size})]
    refused(craft(parts), f"declares {size} bytes, but only 5 follow")


def test_extra_field_that_reaches_past_the_data() -> None:
    refused(craft([*GOOD[:1], Part(b"big", b"", local={"extra_size": 0xFFFF})]), "declares 0 bytes|multiple of 64")
    refused(craft([*GOOD[:1], Part(b"big", b"1", local={"extra_size": 0xFFFF})]), "but only 0 follow")


def test_data_not_aligned() -> None:
    refused(craft([Part(b"manifest.json", b"{}", shift=4)]), "not a multiple of 64")
