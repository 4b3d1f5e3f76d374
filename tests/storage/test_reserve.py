"""A full disk: keys can still be stopped, and no secret is printed that does not work."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import sqlite_utils
from argon2 import PasswordHasher

from allscreenshots_box import keys
from allscreenshots_box.admin import password as passwords
from allscreenshots_box.errors import OperatorError
from allscreenshots_box.storage import reserve
from tests.box import Box, command
from tests.chaos.scarcity import full, small_disk

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a disk that is full")


def status(box: Box, secret: str) -> int:
    return httpx.get(f"{box.url}/v1/usage", headers={"X-API-Key": secret}, timeout=20).status_code


@needs_root
def test_on_a_full_disk_keys_are_stopped_and_secrets_work_beside_a_server(data_dir: Path) -> None:
    with small_disk(data_dir), Box(data_dir) as box:
        leaked, rotated = box.key("leaked"), box.key("rotated")
        with full(data_dir) as fill:
            for number in range(3):
                fill()
                assert box.run("keys", "revoke", leaked[:12], "--yes").returncode == 0, number
            assert status(box, leaked) == 401
            fill()
            done = box.run("keys", "rotate", "rotated")
            assert (done.returncode, status(box, rotated), status(box, done.stdout.strip())) == (0, 401, 200)
            fill()
            link = box.run("admin", "link").stdout.strip()
            assert httpx.get(link, timeout=20).status_code == 200


@needs_root
def test_on_a_full_disk_keys_are_stopped_without_a_server(data_dir: Path) -> None:
    with small_disk(data_dir):
        run = ("--data-dir", str(data_dir))
        names = [command(*run, "keys", "create", name).stdout[:12] for name in ("one", "two")]
        with full(data_dir) as fill:
            for name in names:
                fill()
                done = command(*run, "keys", "revoke", name, "--yes")
                assert done.returncode == 0, done.stderr
            fill()
            assert command(*run, "keys", "list").stdout == ""


@needs_root
def test_what_cannot_be_stored_is_not_printed(data_dir: Path) -> None:
    with small_disk(data_dir):
        run = ("--data-dir", str(data_dir))
        kept = command(*run, "keys", "create", "kept").stdout
        with full(data_dir) as fill:
            (data_dir / reserve.NAME).unlink()
            fill()  # somebody else took the reserve
            for words in (("keys", "create", "new"), ("keys", "rotate", "kept"), ("admin", "link")):
                done = command(*run, *words)
                assert (done.returncode, done.stdout) == (1, ""), words
        assert kept[:12] in command(*run, "keys", "list").stdout


def refuse(*_: object) -> None:
    raise OperatorError("nobody took it")


def test_a_secret_that_nobody_took_leaves_no_key_behind(db: sqlite_utils.Database, hasher: PasswordHasher) -> None:
    with pytest.raises(OperatorError, match="nobody took it"):
        keys.create(db, hasher, "svc", deliver=refuse)
    assert [db.table(name).count for name in ("keys", "secrets", "audit")] == [0, 0, 0]


def test_a_rotation_whose_secret_nobody_took_did_not_happen(db: sqlite_utils.Database, hasher: PasswordHasher) -> None:
    keys.create(db, hasher, "svc")
    keys.rotate(db, hasher, "svc", grace=timedelta(days=1))
    before = list(db.query("select * from secrets order by prefix")), db.table("audit").count
    with pytest.raises(OperatorError, match="nobody took it"):
        keys.rotate(db, hasher, "svc", deliver=refuse)
    assert (list(db.query("select * from secrets order by prefix")), db.table("audit").count) == before


def test_a_secret_is_stored_when_it_is_handed_over(
    db: sqlite_utils.Database, hasher: PasswordHasher, tmp_path: Path
) -> None:
    def look(key: keys.KeySecret, _: str) -> None:
        other = sqlite_utils.Database(tmp_path / "box.db")
        seen.append(keys.find(other, key.prefix).is_live(datetime.now(UTC)))
        other.close()

    seen: list[bool] = []
    keys.create(db, hasher, "svc", deliver=look)
    keys.rotate(db, hasher, "svc", deliver=look)
    assert seen == [True, True]


def test_a_link_that_nobody_took_leaves_the_one_before(db: sqlite_utils.Database) -> None:
    now = datetime.now(UTC)
    tokens: list[str] = []
    passwords.make_link(db, tokens.append, now=now)
    with pytest.raises(OperatorError, match="nobody took it"):
        passwords.make_link(db, refuse, now=now)
    assert passwords.link_works(db, tokens[0], now=now)


def test_the_reserve_takes_what_there_is(tmp_path: Path) -> None:
    with reserve.at_hand(tmp_path) as short:
        assert not short
    assert (tmp_path / reserve.NAME).stat().st_size == reserve.SIZE
