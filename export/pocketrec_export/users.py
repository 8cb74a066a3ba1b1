"""The users table: groups, for reports and fairness only. Nothing of it ever enters a package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pocketrec.errors import DataError

from pocketrec_export.columns import MAX_ID_BYTES, id_strings, strings
from pocketrec_export.files import open_table
from pocketrec_export.tables import Note, check_roles

MAX_GROUPS = 100  # distinct values of a column; more are no groups but names, ages or addresses
MAX_COLUMNS = 32
USER_SYNONYMS = ("user_id", "customer", "customer_id", "visitor_id", "reviewer_id", "member_id", "account_id")
USER_ROLES: dict[str, tuple[str, ...]] = {"user": USER_SYNONYMS}


@dataclass(frozen=True)
class Users:
    """Who belongs to which group, in the order of the source, one row per id.

    Attributes:
        name: The source, for messages.
        ids: U ids.
        groups: Column -> U group names, "" where the user has none.
        notes: What was removed or assumed.
    """

    name: str
    ids: list[str]
    groups: dict[str, list[str]]
    notes: list[Note] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Users({self.name!r}, users={len(self):,}, groups={list(self.groups)})"

    def sizes(self, column: str) -> dict[str, int]:
        """Users of each group, largest first, "" for those without."""
        return dict(sorted(Counter(self.groups[column]).items(), key=lambda entry: (-entry[1], entry[0])))


def read_users(source: Any, *, columns: Mapping[str, str] | None = None, source_name: str | None = None) -> Users:
    """Users and their groups from a file or frame; every column beside the id is a way of grouping.

    Args:
        source: Path, DataFrame or Arrow table, see `files.open_table`.
        columns: Role -> column of the source; the role is user.
        source_name: How messages call the source.

    Raises:
        DataError: The source cannot be read, has no user column, no group column, or no usable row.
        UsageError: Unknown role.
    """
    mapping = check_roles(columns, tuple(USER_ROLES))
    table = open_table(source, name=source_name)
    user_column, user_array = table.require("user", USER_SYNONYMS, mapping)
    ids = id_strings(user_array, column=user_column, table=table)
    keep = np.ones(table.rows, np.bool_)
    table.remove(keep, np.array(pc.is_null(ids)), "no_id", role="user")
    long = np.array(pc.fill_null(pc.greater(pc.binary_length(ids), MAX_ID_BYTES), False))
    table.remove(keep, long, "long_id", shown=ids, role="user", limit=f"{MAX_ID_BYTES:,}")
    codes = np.asarray(ids.dictionary_encode().indices.fill_null(-1))
    repeat = np.ones(table.rows, np.bool_)
    repeat[np.unique(codes, return_index=True)[1]] = False
    table.remove(keep, repeat, "repeated_user", shown=ids)
    if not keep.any():
        raise DataError(f"{table.name}: none of the {table.rows:,} rows has a user id")
    groups: dict[str, list[str]] = {}
    others = [column for column in table.columns if column != user_column]
    for column in others[:MAX_COLUMNS]:
        names = pc.fill_null(pc.utf8_trim_whitespace(strings(table.columns[column])), "")
        distinct = pc.unique(names.filter(pa.array(keep)))
        if len(distinct) > MAX_GROUPS:
            rule = f"column of more than {MAX_GROUPS} distinct values, no groups, not used"
            table.notes.append(Note(rule, len(distinct), column))
            continue
        table.mark(np.asarray(pc.equal(names, "")) & keep, "no_group", column=column)
        groups[column] = names.filter(pa.array(keep)).to_pylist()
    if not groups:
        found = ", ".join(others) or "none"
        raise DataError(f"{table.name}: no column with groups beside {user_column!r}; found {found}")
    return Users(table.name, ids.filter(pa.array(keep)).to_pylist(), groups, table.notes)
