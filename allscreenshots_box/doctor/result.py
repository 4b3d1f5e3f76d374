"""What a check found: a fact, how good that is, and the command that mends it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class CheckResult:
    """One check's answer. *cure* is there when something is to be mended."""

    state: State
    fact: str
    cure: str | None = None


@dataclass(frozen=True)
class Finding:
    """A result with the number and the name of its check: what is printed, and what --json holds."""

    number: int
    name: str
    state: State
    fact: str
    cure: str | None


class Skipped(Exception):
    """The check cannot be made, for the reason in the message."""


def ok(fact: str) -> CheckResult:
    """All is well."""
    return CheckResult("ok", fact)


def warning(fact: str, cure: str) -> CheckResult:
    """The box works, and something should be mended."""
    return CheckResult("warning", fact, cure)


def failed(fact: str, cure: str) -> CheckResult:
    """The box does not work, or is not safe, until this is mended."""
    return CheckResult("failed", fact, cure)
