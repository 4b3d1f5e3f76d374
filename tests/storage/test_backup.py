import io
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils
from argon2 import PasswordHasher, profiles

from allscreenshots_box import keys
from allscreenshots_box.admin import password as passwords
from allscreenshots_box.captures import history
from allscreenshots_box.errors import OperatorError
from allscreenshots_box.keys import plans
from allscreenshots_box.process import atomic_files, locks
from allscreenshots_box.restore import restore as restoration
from allscreenshots_box.restore.restore import Restored
from allscreenshots_box.storage import audit
from allscreenshots_box.storage import backup as snapshot
from allscreenshots_box.storage.database import open_database, writing
from allscreenshots_box.storage.migrations import migrations
from tests.box import PROGRAM, command, environment

pytestmark = pytest.mark.long

HASHER = PasswordHasher.from_parameters(profiles.CHEAPEST)

Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass
class Store:
    """A database in a directory of its own, and a backup of it."""

    path: Path
    backup: Path

    def opened(self) -> Any:
        return closing(open_database(self.path))

    def create(self, name: str, **options: Any) -> str:
        with self.opened() as db:
            return keys.create(db, HASHER, name, **options)[0].prefix

    def save(self) -> None:
        snapshot.take(self.path, self.backup)

    def restore(self, *, revive: bool = False) -> Restored:
        with self.backup.open("rb") as file, restoration.prepared(file, self.path, revive=revive) as (new, restored):
            restoration.put(new, self.path)
        return restored

    def states(self) -> dict[str, str]:
        with self.opened() as db:
            return {key.name: key.state(datetime.now(UTC)) for key in keys.every(db)}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "data").mkdir()
    return Store(tmp_path / "data" / "box.db", tmp_path / "backup.db")


@pytest.fixture
def run(data_dir: Path) -> Run:
    return partial(command, "--data-dir", str(data_dir))


# --- backup -------------------------------------------------------------------------------------


def test_a_backup_is_a_whole_database_for_its_owner_alone(run: Run, tmp_path: Path) -> None:
    run("keys", "create", "svc")
    made = run("backup", str(tmp_path / "b.db"))
    assert made.returncode == 0, made.stderr
    assert "keys 1, plans 1, " in made.stderr
    assert (tmp_path / "b.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "b.db").stat().st_uid == os.geteuid()
    with closing(open_database(tmp_path / "b.db")) as db:
        assert [key.name for key in keys.live(db)] == ["svc"]


def test_a_backup_leaves_nothing_else_behind(run: Run, data_dir: Path, tmp_path: Path) -> None:
    run("keys", "create", "svc")
    before = sorted(data_dir.iterdir())
    run("backup", str(tmp_path / "b.db"))
    assert sorted(data_dir.iterdir()) == before
    assert list(tmp_path.iterdir()) == [tmp_path / "b.db"]


def test_a_backup_has_what_is_committed_while_others_write(store: Store) -> None:
    store.create("before")
    with store.opened() as db, writing(db):
        db.execute("delete from secrets")
        store.save()
        db.conn.rollback()
        db.conn.execute("begin")
    assert store.restore().working


def test_a_backup_refuses_to_replace_a_file_unless_forced(run: Run, tmp_path: Path) -> None:
    run("keys", "create", "svc")
    (tmp_path / "b.db").write_text("precious")
    refused = run("backup", str(tmp_path / "b.db"))
    assert (refused.returncode, (tmp_path / "b.db").read_text()) == (1, "precious")
    assert "--force" in refused.stderr
    assert run("backup", str(tmp_path / "b.db"), "--force").returncode == 0
    assert (tmp_path / "b.db").read_bytes()[:16] == restoration.MAGIC


@pytest.mark.parametrize(
    ("name", "said"),
    [("absent/b.db", "see that its directory is there"), (".", "is not a file"), ("x" * 300, "cannot be written")],
)
def test_a_backup_that_cannot_be_there_is_told(run: Run, tmp_path: Path, name: str, said: str) -> None:
    run("keys", "create", "svc")
    failed = run("backup", str(tmp_path / name))
    assert failed.returncode == 1
    assert said in failed.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["box.db", "elsewhere.db", "lists/x"])
def test_a_backup_is_never_put_into_the_data_directory(run: Run, data_dir: Path, tmp_path: Path, name: str) -> None:
    assert run("keys", "create", "svc").returncode == 0
    (tmp_path / "link").symlink_to(data_dir)
    for above in (data_dir, tmp_path / "link"):
        refused = run("backup", str(above / name), "--force")
        assert (refused.returncode, "would lie in the data directory" in refused.stderr) == (1, True)
    assert run("keys", "list").returncode == 0


def test_a_backup_of_nothing_is_told(run: Run, tmp_path: Path) -> None:
    failed = run("backup", str(tmp_path / "b.db"))
    assert failed.returncode == 1
    assert "There is no box in" in failed.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_backup_without_room_leaves_nothing(run: Run, data_dir: Path, tmp_path: Path) -> None:
    run("keys", "create", "svc")
    failed = subprocess.run(
        [PROGRAM, "--data-dir", str(data_dir), "backup", str(tmp_path / "b.db")],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    assert failed.returncode == 1
    assert "free as much room there" in failed.stderr
    assert list(tmp_path.iterdir()) == []
    assert {path.name for path in data_dir.iterdir()} <= {"box.db", "box.db-wal", "box.db-shm", "reserve"}


def test_a_backup_goes_into_a_pipe(data_dir: Path, run: Run) -> None:
    run("keys", "create", "svc")
    words = [PROGRAM, "--data-dir", str(data_dir), "backup", "-"]
    made = subprocess.run(words, capture_output=True, check=True, env=environment())
    assert made.stdout[:16] == restoration.MAGIC


def test_a_pipe_that_takes_nothing_is_told(data_dir: Path, run: Run) -> None:
    run("keys", "create", "svc")
    with Path("/dev/full").open("w") as full:
        words = [PROGRAM, "--data-dir", str(data_dir), "backup", "-"]
        failed = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment())
    assert failed.returncode == 1
    assert "Standard output took not all of it" in failed.stderr


def test_a_damaged_database_is_not_copied(store: Store) -> None:
    spoil(store)
    with pytest.raises(OperatorError, match="is damaged"):
        store.save()
    assert not store.backup.exists()


def spoil(store: Store) -> None:
    """Damage the middle of a database."""
    for number in range(20):
        store.create(f"svc{number}")
    content = bytearray(store.path.read_bytes())
    content[3 * 4096 : -4096] = b"\xff" * (len(content) - 4 * 4096)
    store.path.write_bytes(content)


# --- deliveries ---------------------------------------------------------------------------------


def test_a_delivery_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic_files.files([tmp_path / "x"], replace=True, mode=0o600) as (out,):
            out.write(b"new")
            raise ZeroDivisionError

    (tmp_path / "x").write_text("old")
    with pytest.raises(ZeroDivisionError):
        fail()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x", "old")]


def test_a_delivery_whose_process_is_killed_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        with atomic_files.files([tmp_path / "x"], replace=True, mode=0o600) as (out,):
            out.write(b"new")
            os.kill(os.getpid(), signal.SIGKILL)
    os.close(theirs)
    os.waitpid(child, 0)
    assert os.read(ours, 1) == b""  # its keeper has ended, too
    os.close(ours)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x", "old")]


def test_a_delivery_has_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_files.files([tmp_path / "x"], replace=False, mode=0o666) as (out,):
            out.write(b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


# --- restore ------------------------------------------------------------------------------------


def test_a_restore_brings_back_what_was_there(store: Store) -> None:
    store.create("svc")
    store.save()
    with store.opened() as db:
        db.execute("update keys set name = 'other'")
        db.conn.commit()
    assert store.restore().compared
    assert store.states() == {"svc": "active"}


def revoke(db: sqlite_utils.Database) -> None:
    keys.revoke(db, "svc")


def rotate(db: sqlite_utils.Database) -> None:
    keys.rotate(db, HASHER, "svc")


def rotate_with_grace(db: sqlite_utils.Database) -> None:
    keys.rotate(db, HASHER, "svc", grace=timedelta(hours=1))


def expire(db: sqlite_utils.Database) -> None:
    keys.edit(db, "svc", {"expires": timedelta(microseconds=1)})


def prune(db: sqlite_utils.Database) -> None:
    keys.revoke(db, "svc")
    keys.prune(db, older_than=timedelta())


def nothing(_: sqlite_utils.Database) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("done", "state"),
    [
        (nothing, "active"),
        (revoke, "revoked"),
        (rotate, "retired"),
        (rotate_with_grace, "retiring"),
        (expire, "expired"),
        (prune, "revoked"),
    ],
)
def test_what_was_stopped_since_the_backup_stays_stopped(
    store: Store, done: Callable[[sqlite_utils.Database], None], state: str
) -> None:
    store.create("svc")
    store.save()
    with store.opened() as db:
        done(db)
    store.restore()
    assert store.states() == {"svc": state}


def test_what_was_pruned_works_again_only_if_that_is_said(store: Store) -> None:
    prefix = store.create("svc")
    store.save()
    with store.opened() as db:
        prune(db)
    assert store.restore(revive=True).forgotten == [f"{prefix} (svc)"]
    assert store.states() == {"svc": "active"}


def test_what_a_restore_took_for_pruned_works_again_if_that_is_said_later(store: Store) -> None:
    prefix = store.create("svc")
    store.save()
    with store.opened() as db:
        prune(db)
    store.restore()
    assert store.restore(revive=True).forgotten == [f"{prefix} (svc)"]
    assert store.states() == {"svc": "active"}


def test_an_undone_restore_brings_back_every_key_that_lived(store: Store) -> None:
    store.create("old", lifetime=timedelta(hours=1))
    store.create("rotated")
    store.save()
    with store.opened() as db:
        keys.edit(db, "old", {"expires": None})
        keys.rotate(db, HASHER, "rotated")
        new = keys.create(db, HASHER, "new")[0].prefix
        before = {key.prefix: key.expires_at for key in keys.live(db)}
    store.restore()
    with store.opened() as db:
        keys.create(db, HASHER, "between")
    undone = undo(store)
    assert f"{new} (new)" in undone.returning
    assert undone.forgotten == undone.stopped == []
    with store.opened() as db:
        assert {key.prefix: key.expires_at for key in keys.live(db)} == before


def undo(store: Store) -> Restored:
    """Restore what the last restore replaced."""
    newest = max(store.path.parent.glob("box.db.before-restore-*"))
    return Store(store.path, newest).restore()


def shorten(db: sqlite_utils.Database) -> None:
    keys.edit(db, "svc", {"expires": timedelta(microseconds=1)})


@pytest.mark.parametrize(
    ("done", "state"),
    [
        (revoke, "revoked"),
        (rotate, "revoked"),
        (rotate_with_grace, "revoked"),
        (shorten, "expired"),
        (prune, "revoked"),
    ],
)
def test_what_was_stopped_stays_so_when_a_restore_between_never_had_it(
    store: Store, done: Callable[[sqlite_utils.Database], None], state: str
) -> None:
    older = Store(store.path, store.backup.with_name("older.db"))
    store.create("other")
    older.save()
    store.create("svc")
    store.save()
    with store.opened() as db:
        done(db)
    older.restore()
    assert store.restore().returning == []
    assert store.states()["svc"] == state


def test_what_the_audit_no_longer_covers_counts_as_pruned(store: Store) -> None:
    prefix = store.create("svc")
    store.save()
    with store.opened() as db:
        prune(db)
        db.execute("delete from audit")
        db.execute("insert into audit (id, moment, actor, act, subject) values (9, '2999', 'x', 'x', 'x')")
        db.conn.commit()
    assert store.restore().forgotten == [f"{prefix} (svc)"]


def test_what_goes_back_to_the_backup_is_said(run: Run, data_dir: Path, tmp_path: Path) -> None:
    for words in (
        ("plans", "set", "small", "--weight", "1"),
        ("keys", "create", "svc"),
        ("keys", "create", "same"),
        ("backup", str(tmp_path / "b.db")),
        ("plans", "set", "small", "--weight", "2"),
        ("keys", "edit", "svc", "--plan", "small", "--allow-host", "example.com"),
        ("keys", "edit", "svc", "--expires", "90d"),
        ("plans", "set", "big", "--weight", "2"),
    ):
        assert run(*words).returncode == 0, words
    password = "correct horse battery"
    subprocess.run(
        [PROGRAM, "--data-dir", str(data_dir), "admin", "password"],
        input=password, text=True, check=True, capture_output=True, env=environment(),
    )  # fmt: skip
    said = run("restore", str(tmp_path / "b.db"), "--yes").stderr
    assert "Keys that go back to what the backup has, 1: svc: plan, hosts.\n" in said
    assert "Plans that go back to what the backup has, 2: big, small.\n" in said
    assert "The password of the page stays: it is newer than the backup's.\n" in said


def test_a_fresh_box_takes_the_backup_of_another_with_all_its_keys(store: Store) -> None:
    store.create("svc")
    store.save()
    store.path.unlink()
    store.create("first")
    restored = store.restore()
    assert (restored.forgotten, len(restored.lost)) == ([], 1)
    assert store.states() == {"svc": "active"}


def test_without_a_database_to_compare_with_it_is_said_that_keys_work_again(
    run: Run, data_dir: Path, tmp_path: Path
) -> None:
    run("keys", "create", "svc")
    run("backup", str(tmp_path / "b.db"))
    run("keys", "revoke", "svc", "--yes")
    (data_dir / "box.db").write_bytes(b"x" * 9000)
    done = run("restore", str(tmp_path / "b.db"), "--yes")
    assert done.returncode == 0, done.stderr
    assert "These work AGAIN" in done.stderr
    assert "(svc)" in done.stderr


def test_sessions_of_the_page_are_not_restored(store: Store) -> None:
    with store.opened() as db, writing(db):
        db.execute("insert into sessions values ('x', 'x', 'x', 'x', '2999')")
        db.execute("insert into links values ('x', '2999')")
    store.save()
    store.restore()
    with store.opened() as db:
        assert [db.table(name).count for name in ("sessions", "links")] == [0, 0]


@pytest.mark.parametrize(("since", "kept"), [("2026-01-02", "new"), ("2025-12-31", "old")])
def test_the_newer_password_stays(store: Store, since: str, kept: str) -> None:
    old, new = (HASHER.hash(word) for word in ("old", "new"))
    with store.opened() as db, writing(db):
        db.execute("insert into password values (1, ?, '2026-01-01T00:00:00.000Z')", [old])
    store.save()
    with store.opened() as db, writing(db):
        db.execute("update password set hash = ?, changed_at = ?", [new, f"{since}T00:00:00.000Z"])
    store.restore()
    with store.opened() as db:
        assert next(db.query("select hash from password"))["hash"] == {"old": old, "new": new}[kept]


def test_a_password_that_was_set_since_stays_whatever_the_clock_said(store: Store) -> None:
    now = datetime.now(UTC)
    with store.opened() as db:
        passwords.set_password(db, HASHER.hash("old"), now=now)
    store.save()
    with store.opened() as db:
        passwords.set_password(db, HASHER.hash("new"), now=now - timedelta(days=1))
        new = passwords.password_hash(db)
    assert store.restore().password_stays
    with store.opened() as db:
        assert passwords.password_hash(db) == new


@pytest.mark.parametrize("migrated", [False, True])
def test_what_a_rotation_stopped_since_is_stopped_whatever_the_clock_says(store: Store, *, migrated: bool) -> None:
    prefix = store.create("svc")
    store.save()
    with store.opened() as db:
        rotate(db)
        if not migrated:  # as an older version left it
            db.execute("update secrets set revoked_at = null")
            db.conn.commit()
    store.restore()
    with store.opened() as db:
        assert not keys.find(db, prefix).is_live(datetime.now(UTC) - timedelta(days=1000))


def test_a_restore_is_audited_after_all_that_was_done_before(store: Store) -> None:
    store.create("svc")
    store.save()
    with store.opened() as db:
        revoke(db)
    store.restore()
    with store.opened() as db:
        assert [entry["act"] for entry in audit.recent(db)] == ["restore backup", "revoke key", "create key"]


A_MOMENT = "2026-01-01T00:00:00.000Z"
FORGERIES = {
    "a name that moves the cursor": "update keys set name = 'a' || char(27) || '[2K'",
    "a name that turns the line round": "update keys set name = 'a' || char(8238)",
    "a name without end": "update keys set name = printf('%.*c', 5000, 'x')",
    "no hash": "update secrets set hash = 'x'",
    "no prefix": "update secrets set prefix = 'ask_1'",
    "no moment": "update keys set expires_at = '~'",
    "no hosts": "update keys set allow_hosts = 'a b'",
    "a plan without a bound": "update plans set screenshots_per_hour = 0",
    "a negative use": "insert into usage values (1, '2026-01-01', -1, 0, 0)",
    "no code": "insert into failures values (1, '2026-01-01', 'a' || char(10), 1)",
    "an act without end": f"insert into audit values (99, '{A_MOMENT}', 'x', null, 'x', printf('%.*c', 5000, 'x'))",
    "the last number": "update sqlite_sequence set seq = 9223372036854775807",
    "another column": "alter table keys add column extra text default 'x'",
    "another table": "create table extra (x)",
    "another index": "create index extra on keys (name)",
    "a column of other rules": "alter table plans rename column weight to heft",
    "a view": "create view extra as select 1",
    "a trigger": "create trigger extra after insert on keys begin delete from audit; end",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_backup_with_what_no_version_writes_is_refused(store: Store, forgery: str) -> None:
    store.create("svc")
    store.save()
    with closing(sqlite3.connect(store.backup)) as db, db:
        db.execute(FORGERIES[forgery])
    before = store.path.read_bytes()
    with pytest.raises(OperatorError, match="The backup is"):
        store.restore()
    assert store.path.read_bytes() == before


def test_a_backup_with_all_that_we_write_is_taken(store: Store) -> None:
    store.create("svc", environment="prod", allow_hosts=["*.example", "10.0.0.0/8:443"], lifetime=timedelta(days=1))
    with store.opened() as db:
        key = keys.rotate(db, HASHER, "svc", grace=timedelta(hours=1))[0]
        keys.touch(db, key.prefix, datetime.now(UTC))
        passwords.set_password(db, HASHER.hash("x"), now=datetime.now(UTC))
        plans.set_plan(db, "größe", {"screenshots_per_month": 5})
        history.add(
            db,
            [
                history.CaptureRecord(
                    moment=A_MOMENT,
                    request="x",
                    caller="x",
                    target="\u202e",
                    status=422,
                    code="timeout",
                    milliseconds=1,
                    bytes=0,
                )
            ],
            patience=50,
        )
        with writing(db):
            db.execute("insert into usage values (1, '2026-01-01', 1, 2, 0.5)")
            db.execute("insert into usage_by_month values (1, '2026-01', 1, 2, 0.5)")
            db.execute("insert into usage_by_organization values ('default', '2026-01-01', 1, 2)")
            db.execute("insert into failures values (1, '2026-01-01', 'timeout', 1)")
            db.execute("insert into failures_by_month values (1, '2026-01', 'timeout', 1)")
        db.execute("analyze")
        db.conn.commit()
    store.save()
    assert store.restore().working


def test_a_backup_of_an_older_version_is_brought_up_to_date(store: Store) -> None:
    with closing(sqlite_utils.Database(store.backup)) as db:
        migrations.apply(db, stop_before="m004_usage")
    store.create("svc")
    steps = [
        "m004_usage",
        "m005_operators",
        "m006_captures",
        "m007_days",
        "m008_stopped",
        "m009_sums",
        "m010_best_secrets",
    ]
    assert store.restore().changes == steps
    assert store.states() == {}


def test_the_backup_of_the_older_version_comes_back_after_a_newer_one_changed_the_database(store: Store) -> None:
    store.create("svc")
    store.save()
    with store.opened() as db:
        revoke(db)
    make_newer(store.path)
    store.restore()
    assert store.states() == {"svc": "revoked"}


def make_newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at)"
            " values ('allscreenshots_box', 'm999_future', '2030-01-01')"
        )


def not_a_database(store: Store) -> None:
    store.backup.write_text("nonsense " * 1000)


def empty(store: Store) -> None:
    store.backup.touch()


def somebody_elses(store: Store) -> None:
    with closing(sqlite3.connect(store.backup)) as db:
        db.execute("create table secrets (x)")


def with_a_trigger(store: Store) -> None:
    store.save()
    with closing(sqlite3.connect(store.backup)) as db:
        db.execute("create trigger t after delete on links begin delete from audit; end")


def newer(store: Store) -> None:
    store.save()
    make_newer(store.backup)


def cut(store: Store) -> None:
    store.save()
    os.truncate(store.backup, 20_000)


def overwritten(store: Store) -> None:
    store.save()
    content = store.backup.read_bytes()
    store.backup.write_bytes(content[:4096] + b"\xff" * 12_288 + content[16_384:])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (not_a_database, "is not a database: name a file"),
        (empty, "is not a database: name a file"),
        (somebody_elses, "none of allscreenshots-box: name a file"),
        (with_a_trigger, "none of allscreenshots-box: name a file"),
        (newer, r"newer allscreenshots-box \(it has m999_future\): install that version"),
        (cut, "is damaged .*use another"),
        (overwritten, "is damaged .*use another"),
    ],
)
def test_a_backup_that_is_none_is_refused(store: Store, make: Callable[[Store], None], said: str) -> None:
    store.create("svc")
    make(store)
    before = store.path.read_bytes()
    with pytest.raises(OperatorError, match=said):
        store.restore()
    assert store.path.read_bytes() == before
    assert {path.name for path in store.path.parent.iterdir()} <= {"box.db", "reserve"}


@pytest.mark.parametrize("make", [not_a_database, newer, cut])
def test_a_refused_restore_is_one_sentence(run: Run, store: Store, make: Callable[[Store], None]) -> None:
    store.create("svc")
    make(store)
    failed = run("restore", str(store.backup), "--yes")
    assert failed.returncode == 1
    assert failed.stderr.startswith("Error: The backup ")
    assert failed.stderr.count("\n") == 1


def test_a_restore_asks(run: Run, tmp_path: Path) -> None:
    run("keys", "create", "svc")
    run("backup", str(tmp_path / "b.db"))
    refused = run("restore", str(tmp_path / "b.db"))
    assert refused.returncode == 2
    assert "--yes" in refused.stderr


def test_a_restore_refuses_beside_a_server(run: Run, data_dir: Path, tmp_path: Path) -> None:
    run("keys", "create", "svc")
    run("backup", str(tmp_path / "b.db"))
    assert run("restore", str(tmp_path / "b.db"), "--yes").returncode == 0  # makes the lock, as its owner
    with locks.serving(data_dir):
        refused = run("restore", str(tmp_path / "b.db"), "--yes")
    assert refused.returncode == 1
    assert "systemctl stop" in refused.stderr


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (locks.serving, locks.alone),
        (locks.alone, locks.serving),
        (locks.alone, locks.alone),
        (locks.visiting, locks.alone),
        (locks.alone, locks.visiting),
    ],
)
def test_a_restore_is_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: Callable[[Path], Any], second: Callable[[Path], Any]
) -> None:
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0)
    with first(tmp_path), pytest.raises(OperatorError), second(tmp_path):
        pass


def test_a_restore_leaves_no_journal_of_the_old_database_to_the_new_one(store: Store) -> None:
    store.create("svc")
    store.save()
    with closing(open_database(store.path)) as somebody:  # who keeps the journal open, and reads nothing just now
        keys.create(somebody, HASHER, "later")
        store.restore()
    assert store.states() == {"svc": "active"}
    (kept,) = (path for path in store.path.parent.glob("box.db.before-*") if not path.name.endswith(snapshot.JOURNALS))
    with closing(open_database(kept)) as db:
        assert [key.name for key in keys.live(db)] == ["svc", "later"]


def test_a_journal_of_a_database_that_is_gone_is_not_taken_for_the_new_ones(store: Store) -> None:
    store.create("svc")
    store.save()
    writer = [sys.executable, "-c", _WRITE_AND_DIE, str(store.path)]
    assert subprocess.run(writer, check=False).returncode == -signal.SIGKILL
    assert store.path.with_name("box.db-wal").stat().st_size > 0
    store.path.unlink()
    store.restore()
    assert snapshot.damage(store.path) is None
    assert store.states() == {"svc": "active"}


_WRITE_AND_DIE = """
import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("update plans set weight = 7")
db.commit()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_restore_refuses_while_another_program_reads(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "BUSY_MILLISECONDS", 10)
    store.create("svc")
    store.save()
    with closing(open_database(store.path)) as reader:
        reader.execute("begin")
        reader.execute("select * from keys").fetchall()
        store.create("later")
        with pytest.raises(OperatorError, match="fuser"):
            store.restore()
    assert store.states() == {"svc": "active", "later": "active"}


def test_what_is_replaced_is_kept(store: Store) -> None:
    store.create("svc")
    store.save()
    store.create("later")
    store.restore()
    (kept,) = store.path.parent.glob("box.db.before-restore-*")
    assert kept.stat().st_mode & 0o777 == 0o600
    with closing(open_database(kept)) as db:
        assert [key.name for key in keys.live(db)] == ["svc", "later"]


def test_the_last_three_that_were_replaced_are_kept(store: Store) -> None:
    store.create("svc")
    store.save()
    for _ in range(5):
        store.restore()
    assert len(list(store.path.parent.glob("box.db.before-restore-*"))) == 3
    store.create("newest")
    os.utime(store.path, (0, 0))  # as programs leave it that copy a file with its times
    store.restore()
    kept = max(store.path.parent.glob("box.db.before-restore-*"))
    with closing(open_database(kept)) as db:
        assert "newest" in [key.name for key in keys.live(db)]


def test_a_restore_that_was_killed_is_cleared_away_by_the_next(store: Store) -> None:
    store.create("svc")
    store.save()
    (store.path.parent / "restoring-x").mkdir()
    (store.path.parent / "box.db.before-restore-x").hardlink_to(store.path)
    store.restore()
    names = {path.name for path in store.path.parent.iterdir()}
    assert not names & {"restoring-x", "box.db.before-restore-x"}


def test_a_kill_at_any_step_leaves_the_old_or_the_new(store: Store) -> None:
    store.create("svc")
    store.save()
    with store.opened() as db:  # as a server leaves it that was killed: half of it in the journal
        keys.create(db, HASHER, "later")
        copies = {path: path.read_bytes() for path in store.path.parent.iterdir() if path.name != "serve.lock"}
    assert any(path.name.endswith("-wal") and content for path, content in copies.items())
    seen = []
    for step in range(1000):
        shutil.rmtree(store.path.parent)
        store.path.parent.mkdir()
        for path, content in copies.items():
            path.write_bytes(content)
        ended = killed_at(step, store)
        seen.append(tuple(store.states()))
        if not ended:
            break
    assert len(seen) > 20
    assert set(seen) == {("svc", "later"), ("svc",)}
    assert seen == sorted(seen, key=len, reverse=True)  # and never back again


def killed_at(step: int, store: Store) -> bool:
    """Restore in a child that is killed before its file operation *step*; say whether it came to that."""
    child = os.fork()
    if child == 0:
        left = step

        def watch(event: str, _: tuple[Any, ...]) -> None:
            nonlocal left
            if event.startswith(("os.", "open", "sqlite3.connect")) and event != "os.kill":
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1

        try:
            sys.addaudithook(watch)
            store.restore()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_a_backup_comes_out_of_a_pipe(store: Store) -> None:
    store.create("svc")
    store.save()
    pipe = io.BytesIO(store.backup.read_bytes())
    with restoration.prepared(pipe, store.path, revive=False) as (_, restored):
        assert len(restored.working) == 1
