"""A PDF of some pages with text, lines and bars, written by hand: small, and the same at every start."""

PAGES = 6
LINES = 40
_HEAD = b"%PDF-1.4\n"
_BOX = "/MediaBox [0 0 595 842] /Resources << /Font << /F 3 0 R >> >>"


def report() -> bytes:
    """Return the document."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(PAGES))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {PAGES} /Kids [{kids}] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number in range(PAGES):
        drawn = _drawn(number)
        objects += [
            f"<< /Type /Page /Parent 2 0 R {_BOX} /Contents {5 + 2 * number} 0 R >>",
            f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        ]
    return _file(objects)


def _drawn(number: int) -> str:
    """Return what a page shows: a red bar, a title, and lines of text."""
    lines = "".join(
        f"({number + 1}.{line} The quarter in numbers: {line * 37 % 101} of 101.) ' " for line in range(LINES)
    )
    return f"0.8 0.1 0.1 rg 40 780 400 30 re f 0 g BT /F 13 Tf 17 TL 40 750 Td {lines} ET"


def _file(objects: list[str]) -> bytes:
    """Join objects, and say where each is."""
    out, places = bytearray(_HEAD), []
    for number, text in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{text}\nendobj\n".encode()
    start = len(out)
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    out += f"xref\n0 {size}\n0000000000 65535 f \n{table}".encode()
    out += f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)
