from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from allscreenshots_box import config, hosts
from allscreenshots_box.config import FORMER, Settings
from allscreenshots_box.errors import OperatorError
from tests.box import command


def load(
    tmp_path: Path, variables: dict[str, str] | None = None, *, flags: dict[str, str] | None = None, toml: str = ""
) -> config.Loaded:
    file = tmp_path / "config.toml"
    file.write_text(toml)
    environment = {config.ENVIRONMENT_PREFIX + name.upper(): value for name, value in (variables or {}).items()}
    return config.load(flags or {}, environment, file)


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    every = load(
        tmp_path,
        {"port": "2", "host": "127.0.0.2"},
        flags={"port": "1"},
        toml="port = 3\nhost = '127.0.0.3'\nslots = 4",
    )
    found = every.settings
    assert (found.port, found.host, found.slots, found.queue_size) == (1, "127.0.0.2", 4, 100)
    assert [every.sources[name] for name in ("port", "host", "slots", "queue_size")] == [
        "--port",
        "ALLSCREENSHOTS_BOX_HOST",
        str(tmp_path / "config.toml"),
        "default",
    ]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        (
            "allow",
            "127.0.0.1:3000, [::1]:80,*.intra",
            (hosts.read("127.0.0.1:3000"), hosts.read("[::1]:80"), hosts.read("*.intra")),
        ),
        ("queue_timeout", "90s", 90.0),
        ("drain", "2m", 120.0),
        ("log_queries", "yes", True),
        ("browser", "", None),
        ("browser", "/usr/bin/x", Path("/usr/bin/x")),
        ("host", "[::1]", "::1"),
    ],
)
def test_values_are_read(tmp_path: Path, name: str, text: str, value: object) -> None:
    assert getattr(load(tmp_path, {name: text}).settings, name) == value


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("port", "0", "between 1 and 65535"),
        ("port", "http", "'http' is not a whole number"),
        ("allow", "127.0.0.1", "opened by HOST:PORT only"),
        ("allow", "a:b:c", "must be a host name"),
        ("deny", "a b", "must be a host name"),
        ("trusted_proxy", "10.0.0.0/99", "10.0.0.0/99"),
        ("queue_timeout", "soon", "not a duration"),
        ("argon2_memory", "18", "between 19 and 1024"),
        ("argon2_passes", "1", "between 2 and 20"),
        ("dangerously_disable_sandbox", "maybe", "neither true nor false"),
    ],
)
def test_a_bad_value_names_its_setting_and_source(tmp_path: Path, name: str, text: str, problem: str) -> None:
    with pytest.raises(OperatorError, match=problem) as caught:
        load(tmp_path, {name: text})
    assert f"Setting {name!r} (from ALLSCREENSHOTS_BOX_{name.upper()})" in str(caught.value)


@pytest.mark.parametrize(
    ("where", "variables", "toml"), [("the environment", {"prot": "1"}, ""), ("the file", {}, "prot = 1")]
)
def test_an_unknown_name_is_refused_with_the_nearest(
    tmp_path: Path, where: str, variables: dict[str, str], toml: str
) -> None:
    with pytest.raises(OperatorError, match=rf"in {where}.*did you mean 'port'"):
        load(tmp_path, variables, toml=toml)


@pytest.mark.parametrize("name", FORMER)
def test_a_former_name_is_refused_with_the_one_of_today(tmp_path: Path, name: str) -> None:
    with pytest.raises(OperatorError, match=f"is called '{FORMER[name]}' now"):
        load(tmp_path, {name: "7"})
    told = command("config", f"--{name.replace('_', '-')}", "7")
    assert f"is called --{FORMER[name].replace('_', '-')} now" in told.stderr


def test_hyphens_in_the_file_are_underscores(tmp_path: Path) -> None:
    assert load(tmp_path, toml="queue-size = 7").settings.queue_size == 7


@pytest.mark.parametrize("toml", ["port = ", "\x00"])
def test_a_broken_file_is_told(tmp_path: Path, toml: str) -> None:
    with pytest.raises(OperatorError, match=r"config\.toml cannot be read"):
        load(tmp_path, toml=toml)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot be read: No such file"):
        config.load({}, {}, tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1s", timedelta(seconds=1)),
        ("5m", timedelta(minutes=5)),
        ("24h", timedelta(days=1)),
        ("90d", timedelta(days=90)),
    ],
)
def test_durations(text: str, span: timedelta) -> None:
    assert config.duration(text) == span


@pytest.mark.parametrize("text", ["", "1", "1w", "-1s", "1.5h", "s", "9999999999d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration|longer than"):
        config.duration(text)


def test_every_setting_can_be_spelled_and_read_again() -> None:
    settings = Settings()
    for row in fields(Settings):
        value = getattr(settings, row.name)
        if value is not None:
            assert row.metadata["read"](config.spelled(value)) == value, row.name
