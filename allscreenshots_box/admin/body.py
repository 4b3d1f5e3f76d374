"""The body that a form arrives in: urlencoded text, and not much of it."""

from urllib.parse import parse_qsl

from litestar import Request
from litestar.datastructures import FormMultiDict

from ..errors import InvalidRequest

LARGEST_FORM = 64 * 1024  # bytes
MOST_FIELDS = 100
_KIND = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> FormMultiDict:  # type: ignore[type-arg]  # of any user, any state
    """Return the fields of a form. Raises InvalidRequest if the body is none."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _KIND:
        raise InvalidRequest(f"A form must be sent as {_KIND}.")
    try:
        pairs = parse_qsl(
            (await request.body()).decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
        )
    except ValueError:  # no UTF-8, or too many
        raise InvalidRequest(f"A form must be text in UTF-8, with at most {MOST_FIELDS} fields.") from None
    return FormMultiDict(pairs)
