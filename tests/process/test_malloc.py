"""Memory that large pieces took is the machine's again, whatever small ones lie between them."""

import subprocess
import sys

import pytest

# One large piece that is given back teaches the C library to keep the next ones: those then lie between small ones.
_SCRIPT = """
import re, sys
from allscreenshots_box.process import malloc
if sys.argv[1] == "give back":
    malloc.give_back()
MIB = 1 << 20
def held():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024
piece = bytearray(30 * MIB); del piece
before, large, small = held(), [], []
for _ in range(100):
    large.append(bytearray(b"x") * MIB)
    small.append(bytearray(b"x") * 4000)
del large
print(held() - before)
"""


@pytest.mark.parametrize(("how", "is_kept"), [("give back", False), ("as it is", True)])
def test_what_large_pieces_took_is_given_back(how: str, *, is_kept: bool) -> None:
    ran = subprocess.run([sys.executable, "-c", _SCRIPT, how], capture_output=True, text=True, check=True)
    assert (int(ran.stdout) > 50) == is_kept, ran.stdout
