"""``python -m allscreenshots_box`` is the ``allscreenshots-box`` command."""

from .cli import main

main(prog_name="allscreenshots-box")
