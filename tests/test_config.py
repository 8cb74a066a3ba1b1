"""Options from a file: the documented example runs, and every mistake is named."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest
from pocketrec import cli
from pocketrec.errors import UsageError
from pocketrec.package import Package
from pocketrec_export import build
from pocketrec_export.config import options_of, read_config

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "DATA.md"
EXAMPLE = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)[0]


def parser_of(name: str):  # type: ignore[no-untyped-def]
    commands = next(a for a in cli._parser([name])._actions if hasattr(a, "choices") and isinstance(a.choices, dict))
    return commands.choices[name]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the documented example names."""
    monkeypatch.chdir(tmp_path)
    rows = [
        f"c{user},{kind}-{(user * 7 + step * 3) % 9},{event},{1_700_000_000 + user * 999 + step}"
        for user in range(40)
        for step, (kind, event) in enumerate(
            [(("tea", "cup")[user % 2], "view"), (("tea", "cup")[user % 2], "purchase")] * 3
        )
    ]
    (tmp_path / "events.csv").write_text(
        "customer,item,event,timestamp\n" + "\n".join([*rows, "c1,lost,gift,1700000000"])
    )
    items = [f"{kind}-{i},{kind} number {i}" for kind in ("tea", "cup") for i in range(9)]
    (tmp_path / "items.csv").write_text("sku,title\n" + "\n".join(items))
    (tmp_path / "users.csv").write_text(
        "customer,country\n" + "\n".join(f"c{i},{'DK' if i % 3 else 'SE'}" for i in range(40))
    )
    (tmp_path / "build.toml").write_text(EXAMPLE)
    return tmp_path


def test_the_documented_example_checks_and_builds(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--config", "build.toml", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["profile"]["interactions"]["event_types"] == {"view": 120, "purchase": 120}
    assert found["profile"]["users"]["group_country"] == {"DK": 26, "SE": 14}
    assert {f["name"] for f in found["cleaning"]["interactions"]["findings"]} >= {"unknown_item"}
    # The text encoder needs minutes; what the file says about everything else is the same without items.
    text = EXAMPLE.replace('items = "items.csv"\n', "").replace('unknown_items = "remove"\n', "")
    (shop / "events-only.toml").write_text(text)
    assert cli.main(["build", "--config", "events-only.toml", "--out", "other.pocketrec", "--quiet", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["path"] == "other.pocketrec"  # the command line wins
    assert not (shop / "shop.pocketrec").exists()
    with Package.open("other.pocketrec") as package:
        assert (package.manifest.name, package.manifest.data.license, package.manifest.seed) == ("shop", "CC0-1.0", 7)


@pytest.mark.parametrize("name", ["build", "check"])
def test_every_option_is_a_key(name: str, tmp_path: Path) -> None:
    options = options_of(parser_of(name))
    assert {"interactions", "items", "users", "half_life", "event_weights", "clean", "counts"} <= set(options)
    assert not {"help", "config", "h"} & set(options)


def test_the_keys_are_the_arguments_in_python() -> None:
    keys = set(options_of(parser_of("build"))) - {"json", "clean", "event_weights", "dwell_half", "half_life", "counts"}
    arguments = set(inspect.signature(build).parameters)
    assert {{"license": "data_license"}.get(key, key) for key in keys} <= arguments


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("min_user = 3", "x.toml: unknown key 'min_user'; did you mean 'min_users'?"),
        ("zzz = 3", "unknown key 'zzz'; expected one of "),
        ("min_users = 2\nmin-users = 3", "min_users and min-users are the same key; give it once"),
        ("seed = 1\nseed = 2", "x.toml: not TOML: Cannot overwrite a value"),
        ("seed = '1'", "seed is '1'; expected a whole number"),
        ("seed = true", "seed is True; expected a whole number"),
        ("seed = 1.5", "seed is 1.5; expected a whole number"),
        ("half_life = 'long'", "half_life is 'long'; expected a number"),
        ("overwrite = 1", "overwrite is 1; expected true or false"),
        ("preset = 'fast'", "preset is 'fast'; expected quick or full"),
        ("value = ['none']", "value is ['none']; expected a text in quotes"),
        ("columns = 'user=u'", "columns is 'user=u'; expected a table"),
        ("[columns]\nuser = ['u']", "columns.user is ['u']; expected a text or a number"),
        ("[clean]\nbot = 1", "clean: unknown rule 'bot'"),
        ("[clean]\nbots = 'many'", "clean: bots is 'many'; expected a number"),
        ("[event_weights]\nview = 'x'", "--event-weights view=x: expected a number"),
        ("[event_weights]\nview = inf", "event_weights: view is inf; expected a number from -100 to 100"),
        (
            "value = 'none'\npositive = 'value>=4'",
            "value='none' ignores the values that positive='value>=4' asks about",
        ),
        ("half_life = 3", "half_life is given, and the interactions have no timestamp"),
        ("half_life = -3", "half_life is -3"),
        ("a = [", "x.toml: not TOML"),
        ("json = {}", "json is {}; expected true or false"),
    ],
)
def test_every_mistake_is_named(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.toml").write_text(text)
    Path("x.csv").write_text(
        "user,item,value\n" + "\n".join(f"u{u},i{i},{1 + (u + i) % 5}" for u in range(5) for i in range(5))
    )
    words = ["build", "--config", "x.toml", "--interactions", "x.csv", "--out", "x.pocketrec", "--quiet"]
    assert cli.main(words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err
    assert not Path("x.pocketrec").exists()


def test_files_that_are_no_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = options_of(parser_of("build"))
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_config(tmp_path / "no.toml", options)
    (tmp_path / "x.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(UsageError, match="byte 8 is not UTF-8"):
        read_config(tmp_path / "x.toml", options)
    assert cli.main(["check", "--config", "a.toml", "--config=b.toml"]) == 2
    assert "--config is given 2 times" in capsys.readouterr().err


def test_an_option_of_pairs_given_twice(capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in [
        (["--clean", "bots=1,bots=2"], "--clean: bots is given twice, as '1' and '2'"),
        (["--columns", "user"], "--columns 'user': expected NAME=VALUE, for example user=customer_id"),
        (["--event-weights", "view="], "--event-weights 'view=': expected NAME=VALUE"),
    ]:
        assert cli.main(["check", "--interactions", "x.csv", *words]) == 2
        assert message in capsys.readouterr().err


def test_a_required_option_may_stand_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.toml").write_text("out = 'there.pocketrec'\nmin-users = 3\noverwrite = true\n")
    args = cli._parser(["build"]).parse_args(["build", "--config", "x.toml", "--min-users", "4"])
    assert (args.out, args.min_users, args.overwrite) == ("there.pocketrec", 4, True)
    with pytest.raises(SystemExit):
        cli._parser(["build"]).parse_args(["build"])
