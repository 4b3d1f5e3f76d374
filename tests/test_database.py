import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
import sqlite_utils

from allscreenshots_box import database, keys
from allscreenshots_box.config import Settings
from allscreenshots_box.errors import OperatorError


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


def test_a_key_needs_a_plan_that_exists(db: sqlite_utils.Database) -> None:
    with pytest.raises(sqlite3.IntegrityError), database.writing(db):
        db.execute("insert into keys (name, plan, organization, created_at) values ('x', 'none', 'o', '')")
