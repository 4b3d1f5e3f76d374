"""Forms: how they arrive, what was typed into their fields and is wrong with each, and that none is taken twice."""

import hashlib
import json
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request
from litestar.datastructures import FormMultiDict

from ..errors import InvalidRequest, OperatorError
from ..web.request import BoxRequest

LARGEST_FORM = 64 * 1024  # bytes
MOST_FIELDS = 100
_KIND = "application/x-www-form-urlencoded"

LONGEST = 20_000  # characters of one field: a hundred hosts are far less
REMEMBERED = 1000  # forms that were sent
TICKET = 16  # characters
MARK = 16


class FormRequest(BoxRequest):
    """A request whose form is urlencoded text, and not much of it."""

    async def form(self) -> FormMultiDict:
        """Return the fields of a form. Raises InvalidRequest if the body is none."""
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() != _KIND:
            raise InvalidRequest(f"A form must be sent as {_KIND}.")
        try:
            pairs = parse_qsl(
                (await self.body()).decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
            )
        except ValueError:  # no UTF-8, or too many
            raise InvalidRequest(f"A form must be text in UTF-8, with at most {MOST_FIELDS} fields.") from None
        return FormMultiDict(pairs)


class Form:
    """What the fields hold, and what is wrong with which; "" is the form itself."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.values = dict(values or {})
        self.errors: dict[str, str] = {}

    def refuse(self, error: OperatorError) -> None:
        """Note what is wrong, at the field that it is wrong with."""
        self.errors[error.field or ""] = str(error)


class Outdated(OperatorError):
    """What a form changes has been changed since the form was shown."""


def mark(state: Mapping[str, Any]) -> str:
    """Return what tells this *state* from others: a form carries it, so that it changes nothing it did not show."""
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:MARK]


def require_shown(form: Form, state: Mapping[str, Any]) -> None:
    """Raise Outdated unless *form* was shown of this *state*."""
    if form.values.get("shown") != mark(state):
        raise Outdated("")


def outdated(form: Form, what: str, state: Mapping[str, Any]) -> None:
    """Note in *form* that *what* has got another *state*; whoever sends it once more has read which."""
    form.values["shown"] = mark(state)
    told = ", ".join(f"{name.replace('_', ' ')} {value or 'none'}" for name, value in state.items())
    form.errors[""] = (
        f"This {what} was changed since this form was shown, and nothing was saved now. It has {told}. "
        "Below is what you typed: saving it puts that in its place."
    )


async def sent(request: Request[Any, Any, Any]) -> Form:
    """Return the form in the body of *request*: each text without spaces around it, and no longer than any field is."""
    fields = await request.form()
    return Form({name: value.strip()[:LONGEST] for name, value in fields.items() if isinstance(value, str)})


class FormTokens:
    """What tells the second sending of a form from the first: a reload, a double click, the back button.

    Only those that came back are kept, in memory; so no form grows too old to be sent.
    """

    def __init__(self) -> None:
        self._used: OrderedDict[str, None] = OrderedDict()

    def new(self) -> str:
        """Return a ticket for a form that is shown now."""
        return secrets.token_urlsafe(12)  # TICKET characters

    def take(self, ticket: str) -> bool:
        """Say whether this is the first time that *ticket* comes back."""
        ticket = ticket[:TICKET]
        if not ticket or ticket in self._used:
            return False
        self._used[ticket] = None
        if len(self._used) > REMEMBERED:
            self._used.popitem(last=False)
        return True
