"""Looks up known vulnerabilities of pinned packages, and says so only if they were looked up.

pip-audit ends with "No known vulnerabilities found" and exit code 0 for an empty file, for packages
that it skips, and for packages that its source does not know. So this module reads its report
instead: each package must be in it with the pinned version, and an old version with a well-known
vulnerability must be found as well, because a source without advisories has none for any package.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tools.python_version import clean_environment
from tools.terminal import SetupError

# Published in 2018 and known to every source of advisories (CVE-2018-18074).
CONTROL = ("requests", "2.19.1")
PATIENCE_S = 600  # for all look-ups together
OPTIONS = ("--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json")
PIN = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?==(?P<version>[\w.!+-]+)(?=[\s;]|$)")
NOT_CHECKED = "NOT CHECKED for known vulnerabilities"


@dataclass(frozen=True)
class Advisory:
    """A known vulnerability of a package."""

    package: str
    version: str
    id: str
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        fix = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no fixed version"
        return f"{self.package} {self.version}: {self.id} ({fix})"


def pinned(text: str) -> dict[str, str]:
    """Returns the version of each package of a requirements file, also those of other platforms.

    Raises SetupError for a line that pins no version, and for a file without packages.
    """
    packages: dict[str, str] = {}
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        line = line.partition(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        pin = PIN.match(line)
        if not pin:
            raise SetupError(f"{NOT_CHECKED}: no version is pinned by the line {line[:60]!r}.")
        name = normalized(pin["name"])
        if packages.setdefault(name, pin["version"]) != pin["version"]:
            raise SetupError(f"{NOT_CHECKED}: {name} is pinned to two versions.")
    if not packages:
        raise SetupError(f"{NOT_CHECKED}: the requirements file has no packages.")
    return packages


def normalized(name: str) -> str:
    """Returns the name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def look_up(program: str, packages: Mapping[str, str], patience_s: float = PATIENCE_S) -> list[Any]:
    """Runs pip-audit for these packages and the control, and returns its report.

    Its cache is empty, so every answer is new. Raises SetupError if it gives no report.
    """
    entries = []
    for pins in (packages, dict([CONTROL])):  # one file cannot have two versions of a package
        lines = "".join(f"{name}=={version}\n" for name, version in sorted(pins.items()))
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "packages.txt").write_text(lines, encoding="utf-8")
            entries += _report(program, folder, patience_s)
    return entries


def _report(program: str, folder: str, patience_s: float) -> list[Any]:
    file = Path(folder, "report.json")
    command = [program, "-r", f"{folder}/packages.txt", "--output", str(file), *OPTIONS]
    command += ["--cache-dir", f"{folder}/cache"]
    # Variables such as PIP_AUDIT_VULNERABILITY_SERVICE would change what is asked.
    kept = {k: v for k, v in clean_environment().items() if not k.startswith("PIP_AUDIT_")}
    try:
        code = subprocess.run(command, env=kept, check=False, timeout=patience_s).returncode
    except subprocess.TimeoutExpired:
        raise SetupError(f"{NOT_CHECKED}: pip-audit did not end in {patience_s:g} s.") from None
    except OSError as error:
        raise SetupError(f"{NOT_CHECKED}: pip-audit cannot be started ({error}).") from None
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))["dependencies"]
    except (OSError, ValueError, KeyError, TypeError):
        raise SetupError(
            f"{NOT_CHECKED}: pip-audit wrote no report, and ended with {code}. See its output."
        ) from None
    if code not in (0, 1) or not isinstance(entries, list):
        raise SetupError(f"{NOT_CHECKED}: pip-audit ended with {code}. See its output.")
    return entries


def advisories(report: list[Any], packages: Mapping[str, str]) -> list[Advisory]:
    """Returns the advisories for these packages.

    Raises SetupError if the report lacks a package, has another version, or does not know the
    vulnerability of the control.
    """
    found: dict[tuple[str, str], list[Any]] = {}
    for entry in report:
        if "vulns" in entry:
            found[(normalized(entry["name"]), entry["version"])] = entry["vulns"]
    missing = sorted(name for name, version in packages.items() if (name, version) not in found)
    if missing:
        raise SetupError(
            f"{NOT_CHECKED}: {len(missing)} of {len(packages)} packages could not be looked up "
            f"({', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''})."
        )
    if not found.get(CONTROL):
        raise SetupError(
            f"{NOT_CHECKED}: the source of advisories does not know that of "
            f"{CONTROL[0]} {CONTROL[1]}, so it may know none."
        )
    return [
        Advisory(name, version, vulnerability["id"], tuple(vulnerability.get("fix_versions", ())))
        for name, version in sorted(packages.items())
        for vulnerability in found[(name, version)]
    ]


def summary(file: str, packages: Mapping[str, str], found: list[Advisory]) -> str:
    """Returns the last line of the output: what was checked, when, and what was found."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")  # noqa: UP017 # Python 3.8
    advisories = "1 advisory" if len(found) == 1 else f"{len(found)} advisories"
    return f"Checked {len(packages)} packages of {file} at {now}: {advisories}."
