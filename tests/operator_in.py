"""An operator who is signed in to the page: of an app in this process, and of the real box."""

from datetime import UTC, datetime

import sqlite_utils
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient
from playwright.sync_api import BrowserContext, Page

from allscreenshots_box.admin import password as passwords
from allscreenshots_box.admin.authentication import cookie_name
from allscreenshots_box.storage.audit import Actor
from tests.box import Box

PASSWORD = "correct horse battery staple"
COOKIE = cookie_name(secure=False)


def sign_in(client: TestClient[Litestar], db: sqlite_utils.Database, hasher: PasswordHasher) -> TestClient[Litestar]:
    """Make *client* a browser in which the operator is signed in, and whose forms are the page's own."""
    now, hashed = datetime.now(UTC), hasher.hash(PASSWORD)
    passwords.set_password(db, hashed, now=now)
    token = passwords.sign_in(db, hashed, by=Actor("operator"), now=now)
    assert token is not None
    db.execute("delete from audit")  # what follows is what the test does
    db.conn.commit()
    client.headers["Origin"] = str(client.base_url)
    client.cookies.set(COOKIE, token)
    return client


def come_in(context: BrowserContext, box: Box, host: str = "127.0.0.1") -> Page:
    """Open a one-time link as an operator does, set the password, and be at the page."""
    page, base = context.new_page(), f"http://{host}:{box.port}"
    page.goto(box.run("admin", "link", "--url", base).stdout.strip())
    for label in ("New password", "The same again"):
        page.get_by_label(label).fill(PASSWORD)
    page.get_by_role("button", name="Set the password and sign in").click()
    page.wait_for_url(f"{base}/admin")
    return page
