"""Who did what to keys and plans, and what was captured of late."""

from typing import Any
from urllib.parse import urlencode

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from ..services import Services
from ..storage import audit
from .formatting import size, span
from .templating import page

Word = FromQuery[str]

ON_A_PAGE = 50
LONGEST_WORD = 100  # characters


@get("/activity")
async def changes(services: NamedDependency[Services], q: Word = "", before: Word = "") -> Response[str]:
    """Show what was done to keys and plans."""
    word = q.strip()[:LONGEST_WORD]
    rows = await services.database.look(audit.recent, before=_id(before), number=ON_A_PAGE + 1, word=word)
    return page("activity.html", section="activity", word=word, **_paged(rows, before, {"q": word}))


@get("/activity/captures")
async def recent(
    services: NamedDependency[Services],
    key: Word = "",
    failed: Word = "",
    before: Word = "",
) -> Response[str]:
    """Show what was captured."""
    caller, only_failed = key.strip()[:LONGEST_WORD], bool(failed)
    await services.history.write()  # what was captured a moment ago is shown, too
    rows = await services.history.recent(before=_id(before), number=ON_A_PAGE + 1, failed=only_failed, caller=caller)
    filters = {"key": caller, "failed": "1" if only_failed else ""}
    shown: dict[str, Any] = {"caller": caller, "failed": only_failed, "size": size, "span": span}
    shown |= _paged(rows, before, filters)
    return page("captures.html", section="activity", **shown)


def _id(text: str) -> int | None:
    """Return the id that a page begins before; the newest page for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(2**63)) else None


def _paged(rows: list[dict[str, Any]], before: str, filters: dict[str, str]) -> dict[str, Any]:
    """Return the rows of one page, and the query of the next one if there is one."""
    shown = rows[:ON_A_PAGE]
    kept = {name: value for name, value in filters.items() if value}
    older = urlencode(kept | {"before": shown[-1]["id"]}) if len(rows) > ON_A_PAGE else None
    newest = urlencode(kept) if _id(before) is not None else None
    return {"rows": shown, "older": older, "newest": newest, "filtered": bool(kept)}


routes = [changes, recent]
