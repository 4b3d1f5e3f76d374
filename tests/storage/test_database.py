import asyncio
import os
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlite_utils

from allscreenshots_box import keys
from allscreenshots_box.config import Settings
from allscreenshots_box.errors import OperatorError
from allscreenshots_box.storage import backup, database
from allscreenshots_box.storage.migrations import migrations


def test_the_file_is_its_owners_alone(db: sqlite_utils.Database, settings: Settings) -> None:
    assert db.table_names()
    assert settings.database_path.stat().st_mode & 0o777 == 0o600


def test_opening_again_changes_nothing(db: sqlite_utils.Database, settings: Settings) -> None:
    before = db.schema
    again = database.open_database(settings.database_path)
    assert again.schema == before
    again.close()


def test_many_first_openings_at_once_all_succeed(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def open_it() -> None:
        try:
            database.open_database(tmp_path / "box.db").close()
        except BaseException as error:  # noqa: BLE001 - whatever it is
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_failed_change_leaves_nothing_behind(db: sqlite_utils.Database) -> None:
    def fail() -> None:
        with database.writing(db):
            db.execute("delete from plans")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert db.table("plans").count == 1


def test_a_missing_directory_is_told_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"cannot be opened .*check the rights of"):
        database.open_database(tmp_path / "absent" / "box.db")


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "box.db").write_bytes(b"nonsense " * 200)
    with pytest.raises(OperatorError, match="that the file is a database"):
        database.open_database(tmp_path / "box.db")


def test_the_server_and_the_command_line_share_the_file(settings: Settings, db: sqlite_utils.Database) -> None:
    async def scene() -> None:
        async with database.connected(settings.database_path) as opened:
            keys.create(db, keys.hasher_of(19, 2), "svc")
            assert [key.name for key in await opened.run(keys.every)] == ["svc"]

    asyncio.run(scene())


def test_a_function_runs_on_the_database_thread(settings: Settings) -> None:
    async def scene() -> str:
        async with database.connected(settings.database_path) as opened:
            return await opened.run(lambda _: threading.current_thread().name)

    assert asyncio.run(scene()).startswith("database")


def test_a_server_waits_less_for_the_lock_than_a_command(settings: Settings, db: sqlite_utils.Database) -> None:
    def waits(db: sqlite_utils.Database) -> list[int]:
        asks = "pragma busy_timeout"
        before = db.execute(asks).fetchone()[0]
        with database.writing(db, patience=7):
            pass
        with database.writing(db):
            during = db.execute(asks).fetchone()[0]
        return [before, during]

    async def scene() -> list[int]:
        async with database.connected(settings.database_path) as opened:
            return await opened.run(waits)

    assert asyncio.run(scene()) == [database.SERVER_MILLISECONDS] * 2
    assert waits(db) == [database.BUSY_MILLISECONDS] * 2


def test_a_key_needs_a_plan_that_exists(db: sqlite_utils.Database) -> None:
    with pytest.raises(sqlite3.IntegrityError), database.writing(db):
        db.execute("insert into keys (name, plan, organization, created_at) values ('x', 'none', 'o', '')")


def older(path: Path) -> None:
    """Make a database as an older version left it."""
    with closing(sqlite_utils.Database(path)) as db:
        migrations.apply(db, stop_before="m004_usage")
        db.execute("insert into keys (name, plan, organization, created_at) values ('svc', 'default', 'o', '')")
        db.conn.commit()


def test_a_database_of_an_older_version_is_copied_before_it_is_changed(tmp_path: Path) -> None:
    older(tmp_path / "box.db")
    told: list[tuple[list[str], Path]] = []
    database.open_database(tmp_path / "box.db", lambda *args: told.append(args)).close()
    copy = tmp_path / "box.db.before-m004_usage"
    [(changes, path)] = told
    assert (changes[0], path, copy.stat().st_mode & 0o777) == ("m004_usage", copy, 0o600)
    with closing(sqlite_utils.Database(copy)) as db:
        assert [migration.name for migration in migrations.applied(db)][-1] == "m003_weight"
        assert next(db.query("select name from keys"))["name"] == "svc"


def test_what_a_rotation_ended_before_is_stopped_for_good_by_the_upgrade(tmp_path: Path) -> None:
    past, future = "2020-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"
    moments = {"ask_past0000": past, "ask_future00": future, "ask_none0000": None}
    secret = "insert into secrets (prefix, key_id, hash, created_at, retires_at) values (?, 1, '', '', ?)"
    with closing(sqlite_utils.Database(tmp_path / "box.db")) as db:
        migrations.apply(db, stop_before="m008_stopped")
        db.execute("insert into keys (name, plan, organization, created_at) values ('svc', 'default', 'o', '')")
        for prefix, moment in moments.items():
            db.execute(secret, [prefix, moment])
        db.conn.commit()
    with closing(database.open_database(tmp_path / "box.db")) as db:
        stopped = {row["prefix"]: row["revoked_at"] for row in db.query("select prefix, revoked_at from secrets")}
        assert stopped == {"ask_past0000": past, "ask_future00": None, "ask_none0000": None}
        assert keys.find(db, "ask_past0000").state(datetime.now(UTC)) == "retired"


def test_a_new_database_is_not_copied(tmp_path: Path) -> None:
    told: list[object] = []
    database.open_database(tmp_path / "box.db", lambda *args: told.append(args)).close()
    assert (told, [path.name for path in tmp_path.iterdir()]) == ([], ["box.db"])


def test_the_last_three_copies_are_kept(tmp_path: Path) -> None:
    older(tmp_path / "box.db")
    for age in range(5):
        copy = tmp_path / f"box.db.before-m00{age}"
        copy.touch()
        os.utime(copy, (age, age))
    database.open_database(tmp_path / "box.db").close()
    kept = sorted(path.name for path in tmp_path.glob("box.db.before-*"))
    assert kept == ["box.db.before-m003", "box.db.before-m004", "box.db.before-m004_usage"]


def test_without_room_for_the_copy_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older(tmp_path / "box.db")

    def full(*_: Path) -> None:
        raise OperatorError("No copy could be made: free the disk.")

    with monkeypatch.context() as patched:
        patched.setattr(backup, "take", full)
        with pytest.raises(OperatorError, match="free the disk"):
            database.open_database(tmp_path / "box.db")
    with closing(sqlite_utils.Database(tmp_path / "box.db")) as db:
        assert len(migrations.applied(db)) == 3
