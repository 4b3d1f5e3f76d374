import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from allscreenshots_box import keys
from allscreenshots_box.keys import usage_store
from allscreenshots_box.keys.usage_store import Counts
from allscreenshots_box.storage.database import open_database
from tests.box import PROGRAM, command, environment, found

pytestmark = pytest.mark.long

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give itself up")


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(data_dir: Path) -> Run:
    return partial(command, "--data-dir", str(data_dir))


def test_create_prints_the_secret_alone_on_stdout(run: Run) -> None:
    made = run("keys", "create", "svc")
    assert made.returncode == 0, made.stderr
    assert keys.is_well_formed(made.stdout.strip())
    assert made.stdout.count("\n") == 1
    assert made.stdout[:12] in made.stderr
    assert made.stdout.strip() not in made.stderr
    assert "not shown again" in made.stderr


def test_a_listing_shows_names_and_dates_and_twelve_characters(run: Run) -> None:
    secret = run("keys", "create", "svc", "--environment", "staging", "--expires", "90d").stdout.strip()
    [listed] = json.loads(run("keys", "list", "--json").stdout)
    assert (listed["name"], listed["prefix"], listed["plan"], listed["environment"], listed["state"]) == (
        "svc",
        secret[:12],
        "default",
        "staging",
        "active",
    )
    assert {"created_at", "last_used_at", "expires_at"} <= set(listed)
    table = run("keys", "list").stdout
    assert secret[:12] in table
    assert secret[12:] not in table
    assert "$argon2" not in table


def test_the_dead_are_listed_only_on_request(run: Run) -> None:
    run("keys", "create", "svc")
    run("keys", "revoke", "svc", "--yes")
    assert json.loads(run("keys", "list", "--json").stdout) == []
    [dead] = json.loads(run("keys", "list", "--all", "--json").stdout)
    assert dead["state"] == "revoked"


def test_show_tells_the_limits(run: Run) -> None:
    run("keys", "create", "svc")
    told = json.loads(run("keys", "show", "svc", "--json").stdout)
    assert told["limits"]["screenshots_per_hour"] == 20_000
    assert "screenshots per hour" in run("keys", "show", told["prefix"]).stdout


def test_rotate_never_asks_and_prints_the_new_secret(run: Run) -> None:
    old = run("keys", "create", "svc").stdout.strip()
    new = run("keys", "rotate", "svc", "--grace", "24h")
    assert new.returncode == 0
    assert keys.is_well_formed(new.stdout.strip())
    states = {row["prefix"]: row["state"] for row in json.loads(run("keys", "list", "--json").stdout)}
    assert states == {old[:12]: "retiring", new.stdout[:12]: "active"}


@pytest.mark.parametrize("words", [("keys", "revoke", "svc"), ("keys", "prune"), ("plans", "remove", "small")])
def test_the_destructive_wants_yes_off_a_terminal(run: Run, words: tuple[str, ...]) -> None:
    run("keys", "create", "svc")
    run("plans", "set", "small", "--screenshots-per-hour", "5")
    before = run("keys", "list", "--json").stdout, run("plans", "list", "--json").stdout
    refused = run(*words)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert (run("keys", "list", "--json").stdout, run("plans", "list", "--json").stdout) == before
    assert run(*words, "--yes").returncode == 0


def test_prune_forgets_the_revoked(run: Run) -> None:
    run("keys", "create", "svc")
    run("keys", "revoke", "svc", "--yes")
    assert run("keys", "prune", "--yes").returncode == 0
    assert json.loads(run("keys", "list", "--all", "--json").stdout) == []


def test_edit_changes_a_key(run: Run) -> None:
    run("plans", "set", "small", "--screenshots-per-hour", "5", "--screenshots-burst", "1")
    run("keys", "create", "svc", "--expires", "1s")
    prefix = json.loads(run("keys", "list", "--all", "--json").stdout)[0]["prefix"]
    edited = run(
        "keys", "edit", prefix, "--plan", "small", "--name", "other", "--environment", "dev", "--expires", "never"
    )
    assert edited.returncode == 0, edited.stderr
    told = json.loads(run("keys", "show", "other", "--json").stdout)
    assert (told["plan"], told["environment"], told["expires_at"], told["state"]) == ("small", "dev", None, "active")


def test_plans_are_set_listed_and_removed(run: Run) -> None:
    words = "--screenshots-per-hour 10 --screenshots-burst 2 --requests-per-hour 30 --requests-burst 4"
    words += " --screenshots-per-month 100 --weight 3"
    assert run("plans", "set", "small", *words.split()).returncode == 0
    small = next(plan for plan in json.loads(run("plans", "list", "--json").stdout) if plan["name"] == "small")
    assert small == {
        "name": "small",
        "screenshots_per_hour": 10,
        "screenshots_burst": 2,
        "requests_per_hour": 30,
        "requests_burst": 4,
        "screenshots_per_month": 100,
        "bandwidth_per_month": None,
        "weight": 3,
    }
    assert run("plans", "remove", "small", "--yes").returncode == 0


def test_a_monthly_quota_is_taken_away_again(run: Run) -> None:
    run("plans", "set", "small", "--screenshots-per-month", "100", "--bandwidth-per-month", "5000")
    lifted = run("plans", "set", "small", "--screenshots-per-month", "unlimited")
    assert "unlimited screenshots and 5000 bytes a month" in lifted.stderr
    refused = run("plans", "set", "small", "--bandwidth-per-month", "much")
    assert (refused.returncode, "neither a whole number nor 'unlimited'" in refused.stderr) == (2, True)


def test_usage_is_shown_by_key(run: Run, data_dir: Path) -> None:
    run("plans", "set", "small", "--screenshots-per-month", "100", "--bandwidth-per-month", "5000")
    run("keys", "create", "svc", "--plan", "small")
    secret = run("keys", "create", "other").stdout
    today = datetime.now(UTC).date().isoformat()
    spent = Counts(3, 4000, 1.25, Counter({"timeout": 2, "overloaded": 1}))
    with closing(open_database(data_dir / "box.db")) as db:
        usage_store.add(db, {(1, today): spent, (1, "2020-01-31"): Counts(4)}, patience=1000)
    svc, other = json.loads(run("usage", "--json").stdout)
    used = {"screenshots": 3, "bytes": 4000, "render_seconds": 1.25, "failures": {"timeout": 2, "overloaded": 1}}
    assert (svc["name"], svc["screenshots_per_month"], svc["bandwidth_per_month"]) == ("svc", 100, 5000)
    assert (svc["month"], svc["this_month"]) == (today[:7], used)
    assert (svc["in_all"], svc["days"]) == (used | {"screenshots": 7}, [{"day": today, **used}])
    assert (other["prefix"], other["in_all"]["screenshots"], other["days"]) == (secret[:12], 0, [])
    assert json.loads(run("usage", "--key", "svc", "--json").stdout) == svc
    head, first, second = (" ".join(line.split()) for line in run("usage").stdout.splitlines())
    assert head == "PREFIX NAME ORGANIZATION PLAN SCREENSHOTS OF BYTES OF BYTES RENDER SECONDS FAILURES IN ALL"
    assert first == f"{svc['prefix']} svc default small 3 100 4000 5000 1.25 2 timeout, 1 overloaded 7"
    assert second == f"{other['prefix']} other default default 0 - 0 - 0 - 0"
    shown = [" ".join(line.split()) for line in run("usage", "--key", "svc").stdout.splitlines()]
    assert shown[1] == first
    assert shown[4] == f"{today} 3 4000 1.25 2 timeout, 1 overloaded"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("keys", "rotate", "nobody"), 1, "no live key 'nobody'"),
        (("keys", "rotate", "nobody"), 1, "/data keys list --all` shows every key"),
        (("keys", "create", "x", "--plan", "gold"), 1, "the plans are default"),
        (("keys", "create", "x", "--expires", "soon"), 2, "not a duration"),
        (("keys", "create", "x", "--expires", "999999999d"), 1, "further than the calendar"),
        (("usage", "--key", "nobody"), 1, "no live key 'nobody'"),
        (("keys", "creat", "x"), 2, "Did you mean 'create'?"),
        (("key", "list"), 2, "Did you mean 'keys'?"),
        (("keys", "edit", "x"), 2, "Say what to change"),
        (("plans", "set", "p"), 2, "at least one limit"),
        (("plans", "set", "p", "--screenshots-burst", "0"), 1, "between 1 and"),
        (("config", "--port", "0"), 1, "between 1 and 65535"),
        (("config", "--data-dir", ""), 1, "names no directory"),
        (("keys", "create", "x", "--expires", "0s"), 1, "at least 1s"),
        (("keys", "prune", "--yes", "--older-than", "5000000d"), 1, "longer ago than the calendar"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_an_exit_code(
    run: Run, data_dir: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    found(data_dir)
    failed = run(*words)
    assert failed.returncode == code
    assert told in failed.stderr
    assert "Traceback" not in failed.stderr
    assert failed.stdout == ""


def test_a_key_given_as_an_argument_is_refused_and_not_repeated(run: Run) -> None:
    secret = run("keys", "create", "svc").stdout.strip()
    for text in (secret, secret[:-1]):
        refused = run("keys", "show", text)
        assert refused.returncode == 1
        assert secret[12:-1] not in refused.stderr


def test_config_prints_what_is_in_force_and_where_from(data_dir: Path) -> None:
    shown = command(
        "--data-dir", str(data_dir), "config", "--json", "--port", "9000", ALLSCREENSHOTS_BOX_ALLOW="127.0.0.1:3000"
    )
    rows = {row["setting"]: (row["value"], row["from"]) for row in json.loads(shown.stdout)}
    assert rows["port"] == ("9000", "--port")
    assert rows["allow"] == ("127.0.0.1:3000", "ALLSCREENSHOTS_BOX_ALLOW")
    assert rows["data_dir"] == (str(data_dir), "--data-dir")
    assert rows["host"] == ("127.0.0.1", "default")


def test_an_unknown_setting_in_the_environment_is_refused() -> None:
    refused = command("config", ALLSCREENSHOTS_BOX_PROT="1")
    assert refused.returncode == 1
    assert "did you mean 'port'?" in refused.stderr


def test_a_secret_that_cannot_be_printed_leaves_no_key(data_dir: Path) -> None:
    with Path("/dev/full").open("w") as full:
        failed = subprocess.run(
            [PROGRAM, "--data-dir", str(data_dir), "keys", "create", "svc"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            text=True,
            check=False,
        )
    assert failed.returncode == 1
    assert "nothing was changed" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert json.loads(command("--data-dir", str(data_dir), "keys", "list", "--all", "--json").stdout) == []


@pytest.mark.parametrize(
    "words", [("keys", "show", "\udcff"), ("keys", "create", "\udcff"), ("keys", "show", "x\u202ey")]
)
def test_what_is_no_text_is_refused(run: Run, words: tuple[str, ...]) -> None:
    failed = run(*words)
    assert failed.returncode in {1, 2}
    assert "Traceback" not in failed.stderr


def test_the_directories_above_a_new_data_directory_can_be_passed(data_dir: Path) -> None:
    deep = data_dir / "a" / "b"
    assert command("--data-dir", str(deep), "keys", "create", "svc").returncode == 0
    assert deep.stat().st_mode & 0o777 == 0o700
    if os.geteuid() == 0:
        assert deep.parent.stat().st_mode & 0o777 == 0o755


@needs_root
def test_root_takes_the_identity_of_the_data_directorys_owner(run: Run, data_dir: Path) -> None:
    run("keys", "create", "svc")
    assert {path.owner() for path in (data_dir, *data_dir.iterdir())} == {"allscreenshots"}
    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert (data_dir / "box.db").stat().st_mode & 0o777 == 0o600


@needs_root
def test_a_directory_that_is_roots_and_not_empty_is_left_alone(run: Run, data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "something").touch()
    refused = run("keys", "create", "svc")
    assert refused.returncode == 1
    assert "belongs to root" in refused.stderr
    assert (data_dir / "something").owner() == "root"


@needs_root
def test_without_the_user_to_become_root_is_told_how_to_make_it(data_dir: Path) -> None:
    refused = command("--data-dir", str(data_dir), "keys", "create", "svc", ALLSCREENSHOTS_BOX_USER="nobody-here")
    assert refused.returncode == 1
    assert "useradd --system nobody-here" in refused.stderr


def test_a_newer_database_is_refused(run: Run, data_dir: Path) -> None:
    found(data_dir)
    with sqlite3.connect(data_dir / "box.db") as db:
        db.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at)"
            " values ('allscreenshots_box', 'm999_future', '2030-01-01')"
        )
    db.close()
    refused = run("keys", "list")
    assert refused.returncode == 1
    assert re.search(r"newer allscreenshots-box \(it has m999_future\)", refused.stderr)
    assert f"--data-dir {data_dir} restore BACKUP`" in refused.stderr
    (data_dir / "box.db.before-m999_future").touch()
    assert f" restore {data_dir}/box.db.before-m999_future`" in run("keys", "list").stderr


def test_a_file_that_is_no_database_is_refused(run: Run, data_dir: Path) -> None:
    found(data_dir)
    for path in data_dir.iterdir():
        path.unlink()
    (data_dir / "box.db").write_text("this is not a database, and long enough to be one: " * 40)
    (data_dir / "box.db").chmod(0o666)
    refused = run("keys", "list")
    assert refused.returncode == 1
    assert "that the file is a database" in refused.stderr


@pytest.mark.parametrize(
    "words",
    [
        "keys list",
        "keys show svc",
        "keys rotate svc",
        "keys revoke svc --yes",
        "keys edit svc --name x",
        "keys prune --yes",
        "plans list",
        "plans remove small --yes",
        "usage",
        "admin link",
        "admin password",
        "admin sign-out",
        "backup -",
    ],
)
def test_where_there_is_no_box_nothing_is_made(run: Run, data_dir: Path, words: str) -> None:
    refused = run(*words.split())
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"Error: There is no box in {data_dir}: name the server's directory")
    assert f"--data-dir {data_dir} keys create NAME`" in refused.stderr
    assert refused.stdout == ""
    assert not data_dir.exists()


def test_a_directory_without_a_box_stays_as_it_is(run: Run, data_dir: Path) -> None:
    data_dir.mkdir(mode=0o755)
    assert run("keys", "list").returncode == 1
    assert (data_dir.stat().st_uid, data_dir.stat().st_mode & 0o777) == (os.geteuid(), 0o755)


@pytest.mark.parametrize(
    "words", ["keys list --data-dir {}", "keys --data-dir {} list", "--data-dir /nope keys list --data-dir {}"]
)
def test_the_data_directory_may_be_named_behind_a_command(data_dir: Path, words: str) -> None:
    listed = command(*words.format(found(data_dir)).split())
    assert listed.returncode == 0, listed.stderr
    assert f"There are no keys in {data_dir}: " in listed.stderr


def test_the_settings_file_may_be_named_behind_a_command(data_dir: Path) -> None:
    file = data_dir.with_name("config.toml")
    file.write_text(f'data_dir = "{found(data_dir)}"')
    listed = command("keys", "list", "--config", str(file))
    assert f"There are no keys in {data_dir}: " in listed.stderr


def test_a_plan_that_is_nearly_spelled_right_is_named(run: Run) -> None:
    run("plans", "set", "small", "--weight", "1")
    for words in (("keys", "create", "svc", "--plan", "smal"), ("plans", "remove", "smal", "--yes")):
        assert "the plans are default, small. Did you mean 'small'?\n" in run(*words).stderr


def test_two_creates_of_one_name_at_once_make_one_key(data_dir: Path) -> None:
    racers = [
        subprocess.Popen(
            [PROGRAM, "--data-dir", str(data_dir), "keys", "create", "svc"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            text=True,
        )
        for _ in range(4)
    ]
    errors = [racer.communicate()[1] for racer in racers]
    assert sorted(racer.returncode for racer in racers) == [0, 1, 1, 1], errors
    assert sum("live key 'svc' already" in error for error in errors) == 3, errors


# Each child enters a fresh data directory at the same moment as the others, and puts a file there at once.
ENTERING = """
import os, sys
from multiprocessing import get_context
from pathlib import Path
from allscreenshots_box.process import privileges
from allscreenshots_box.config import Settings

def enter(number, barrier, told):
    data_dir = Path(sys.argv[1]) / str(number)
    barrier.wait()
    try:
        privileges.enter(Settings(data_dir=data_dir))
        (data_dir / str(os.getpid())).touch()
        told.put("")
    except Exception as error:
        told.put(str(error))

fork = get_context("fork")
for number in range(20):
    barrier, told = fork.Barrier(4), fork.SimpleQueue()
    children = [fork.Process(target=enter, args=(number, barrier, told)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        print(told.get())
"""


@needs_root
def test_first_commands_at_the_same_moment_all_find_their_data_directory(data_dir: Path) -> None:
    words = [sys.executable, "-c", ENTERING, str(data_dir.parent)]
    told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
    assert Counter(told.splitlines()) == {"": 80}


# Takes as long as all that a plain command does.
HEAVY = ("litestar", "granian", "uvloop", "adblock", "duckduckgo_autoconsent", "pyvips", "html_to_markdown")


def test_commands_that_neither_serve_nor_render_load_nothing_that_is_for_those() -> None:
    code = f"import sys, allscreenshots_box.cli; print(*set(sys.modules) & {set(HEAVY)!r})"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.split() == []
