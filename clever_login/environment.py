"""Reads environment variables one at a time, and remembers every fault instead of the first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

# What may be in a host: nothing that two programs could read in two ways.
ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::(?P<port>[1-9]\d{0,4}))?"
)
PATH = re.compile(r"(?:/[A-Za-z0-9._-]+)*")
REDIS = re.compile(
    r"rediss?://(?:[^@/?#\s]*@)?(?:[A-Za-z0-9_.-]+|\[[0-9a-f:]+\])(?::[1-9]\d{0,4})?(?:/\d*)?"
    r"|unix://[^?#\s]+"
)
TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
SHORTEST_SECRET = 32  # characters: 128 bits even when written as hexadecimal digits
HOW_TO_MAKE_ONE = 'Make one: python3 -c "import secrets; print(secrets.token_hex(32))"'
SAMPLE_WORDS = ("change-me", "changeme", "replace", "secret-key", "example", "your-", "password")


class Reader:
    """Reads one variable at a time; what is wrong is remembered in `faults`, a sentence each."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.faults: list[str] = []

    def text(self, name: str) -> str | None:
        """The value without surrounding blanks; an empty one counts as unset."""
        return self.environ.get(name, "").strip() or None

    def fault(self, sentence: str) -> str:
        """Remember a sentence, and give a value to go on with."""
        self.faults.append(sentence)
        return ""

    def required(self, name: str) -> str:
        """A value of Clever's dashboard that has no default."""
        return self.text(name) or self.fault(
            f"{name} is missing: it is on your app's Settings page in Clever's dashboard."
        )

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of a few words."""
        value = self.text(name) or default
        if value not in allowed:
            self.fault(f"{name} is {value!r}; it can be {', '.join(allowed)}.")
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number within bounds."""
        value = self.text(name) or str(default)
        if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
            self.fault(f"{name} is {value!r}; it can be a whole number from {least} to {most}.")
            return default
        return int(value)

    def switch(self, name: str, *, default: bool) -> bool:
        """On or off, in any of the usual spellings."""
        value = (self.text(name) or str(default)).lower()
        if value not in TRUE | FALSE:
            self.fault(f"{name} is {value!r}; it can be on or off.")
        return value in TRUE

    def words(self, name: str) -> tuple[str, ...]:
        """A list with commas."""
        return tuple(part.strip() for part in (self.text(name) or "").split(",") if part.strip())

    def file(self, name: str) -> str | None:
        """The path of a file that is there."""
        value = self.text(name)
        if value and not Path(value).is_file():
            self.fault(f"{name} is {value!r}, and no file is there.")
        return value

    def identifier(self, name: str) -> str | None:
        """An id of Clever's, or None."""
        value = self.text(name)
        if value and not (value.isascii() and value.isalnum()):
            self.fault(f"{name} is {value!r}; an id of Clever's has letters and digits only.")
        return value

    def origin(self, name: str, default: str | None) -> str:
        """A scheme and a host, perhaps a port, in the form in which browsers send it."""
        value = (self.text(name) or default or "").rstrip("/").lower()
        if not value:
            return self.fault(f"{name} is missing: the app's own address, such as https://my.app.")
        found = ORIGIN.fullmatch(value)
        if not found or int(found["port"] or 1) > 65535:
            return self.fault(f"{name} must be like https://host or https://host:port, no path.")
        usual = {"http": "80", "https": "443"}[found["scheme"]]
        return value.removesuffix(f":{usual}") if found["port"] == usual else value

    def page(self, name: str, default: str | None) -> str | None:
        """An address with or without a path; set and empty means none."""
        if name in self.environ and not self.text(name):
            return None
        value = (self.text(name) or default or "").rstrip("/")
        host = "/".join(value.split("/")[:3])
        if value and not (ORIGIN.fullmatch(host) and PATH.fullmatch(value[len(host) :])):
            self.fault(f"{name} must be like https://host or https://host/path, or empty for none.")
        return value or None

    def identifiers(self, name: str) -> tuple[str, ...]:
        """Ids of Clever's with commas between them."""
        values = self.words(name)
        empty = self.text(name) and not values  # "," must not pass for "every district"
        if empty or not all(value.isascii() and value.isalnum() for value in values):
            self.fault(f"{name} must be ids of Clever's, letters and digits, with commas between.")
        return values

    def redis(self, name: str) -> str | None:
        """The URL of a Redis, or None."""
        value = self.text(name)
        if value and not REDIS.fullmatch(value):
            self.fault(f"{name} must be like redis://host:6379/0 or rediss://:password@host:6379.")
        return value

    def database(self, name: str) -> str | None:
        """The URL of a PostgreSQL, or None."""
        value = self.text(name)
        if value and not value.startswith(("postgres://", "postgresql://")):
            self.fault(f"{name} must be like postgresql://user:password@host:5432/name.")
        return value

    def secret(self, name: str, production: bool) -> str:
        """A secret; in production it must also be long, varied and no sample."""
        value = self.text(name) or ""
        if not value:
            return self.fault(f"{name} is missing. {HOW_TO_MAKE_ONE}")
        return self.strong(name, value) if production else value

    def secrets(self, name: str, production: bool) -> tuple[str, ...]:
        """A list of former secrets, which must be as good as the one of today."""
        values = self.words(name)
        return tuple(self.strong(name, each) for each in values) if production else values

    def strong(self, name: str, value: str) -> str:
        """A secret that cannot be guessed."""
        if len(value) < SHORTEST_SECRET or len(set(value)) < 8:
            return self.fault(f"{name} is too easy to guess. {HOW_TO_MAKE_ONE}")
        if any(word in value.lower() for word in SAMPLE_WORDS):
            return self.fault(f"{name} is a sample, not a secret. {HOW_TO_MAKE_ONE}")
        return value
