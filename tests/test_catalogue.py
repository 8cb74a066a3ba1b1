from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pocketrec.catalogue import Catalogue
from pocketrec.errors import UsageError
from pocketrec.filters import Filter
from pocketrec.package import Package
from pocketrec_export.writer import write_package
from tiny_package import IDS, tiny_arrays, tiny_files, tiny_manifest, write_tiny


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    write_tiny(tmp_path / "tiny.pocketrec")
    with Package.open(tmp_path / "tiny.pocketrec") as package:
        yield Catalogue(package)


def test_ids_and_indices(catalogue: Catalogue) -> None:
    assert len(catalogue) == 5
    assert [catalogue.id(i) for i in range(5)] == IDS
    assert [catalogue.index(id) for id in IDS] == [0, 1, 2, 3, 4]
    assert catalogue.index("kettle") == -1


def test_title_falls_back_to_the_id(catalogue: Catalogue) -> None:
    assert [catalogue.title(i) for i in range(5)] == ["Green tea", "Big mug", "pot", "A novel", "Le café"]


def test_categories(catalogue: Catalogue) -> None:
    found = [catalogue.categories(i) for i in range(5)]
    assert found == [["drink"], ["kitchen"], ["kitchen", "drink"], ["book"], []]
    for index in (-1, 5):
        with pytest.raises(IndexError):
            catalogue.categories(index)


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (None, [1, 1, 1, 1, 1]),
        ({}, [1, 1, 1, 1, 1]),
        ({"category": "drink"}, [1, 0, 1, 0, 0]),
        ({"category": ["drink", "book"]}, [1, 0, 1, 1, 0]),
        ({"category": ("kitchen", "toys")}, [0, 1, 1, 0, 0]),
        ({"category": "toys"}, [0, 0, 0, 0, 0]),
        ({"category": []}, [0, 0, 0, 0, 0]),
    ],
)
def test_filter_takes_any_of_the_values(catalogue: Catalogue, filter: Filter, expected: list[int]) -> None:
    assert catalogue.eligible(filter).astype(int).tolist() == expected


def test_each_mask_is_the_callers_own(catalogue: Catalogue) -> None:
    catalogue.eligible()[:] = False
    assert catalogue.eligible().all()


def test_unknown_key_lists_the_known_ones(catalogue: Catalogue) -> None:
    with pytest.raises(
        UsageError, match=r"cannot filter by 'size'; this package has: category \(category\), price \(n"
    ):
        catalogue.eligible({"size": "20"})


def test_a_value_must_be_a_string(catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match="must be a string or a list of strings"):
        catalogue.eligible({"category": [3]})  # type: ignore[list-item]


def test_a_catalogue_may_have_no_categories(tmp_path: Path) -> None:
    manifest = tiny_manifest()
    manifest["catalogue"] |= {"categories": 0, "attributes": []}
    arrays = {name: array for name, array in tiny_arrays().items() if not name.startswith("catalogue/c")}
    write_package(tmp_path / "x", manifest=manifest, arrays=arrays, files=tiny_files())
    with Package.open(tmp_path / "x") as package:
        catalogue = Catalogue(package)
        assert catalogue.categories(0) == []
        assert catalogue.eligible().all()
        with pytest.raises(UsageError, match="this package has: none"):
            catalogue.eligible({"category": "drink"})
