#!/usr/bin/env bash
# pytest-xdist 3.8.0 (PyPI) with pytest 9.2.0, and with pytest 8.4.2 beside it
#
# Expected: with `--dist loadgroup`, tests that carry the same `xdist_group` mark go to one worker, as its manual says.
# Seen: with pytest 9.2.0 they go to whoever is free, and nothing is said. The plug-in writes the name of the group
#   behind `_nodeid` of each test and groups by that ending; this pytest makes `nodeid` of something else, so no test
#   has the ending. With pytest 8.4.2 the same twelve tests run on one worker. What helps with both: a scheduler of
#   one's own by the hook `pytest_xdist_make_scheduler`.
#
# Output:
#   pytest 8.4.2: 12 tests of one group on 1 of 3 workers
#   pytest 9.2.0: 12 tests of one group on 3 of 3 workers
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >test_group.py <<'PY'
import os
import time
from pathlib import Path

import pytest


@pytest.mark.xdist_group("together")
@pytest.mark.parametrize("number", range(12))
def test_one(number):
    time.sleep(0.2)
    Path(os.environ["PYTEST_XDIST_WORKER"]).touch()
PY

for version in 8.4.2 9.2.0; do
    python3 -m venv "$version"
    "$version/bin/pip" install --quiet --disable-pip-version-check "pytest==$version" pytest-xdist==3.8.0
    rm -f gw*
    timeout 120 "$version/bin/python" -m pytest -q -n 3 --dist loadgroup test_group.py >told
    grep -q '12 passed' told
    workers=(gw*)
    echo "pytest $version: 12 tests of one group on ${#workers[@]} of 3 workers"
done | tee seen
diff - seen <<'EXPECTED'
pytest 8.4.2: 12 tests of one group on 1 of 3 workers
pytest 9.2.0: 12 tests of one group on 3 of 3 workers
EXPECTED
