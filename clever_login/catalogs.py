"""The languages there are: each file `translations/<language>/LC_MESSAGES/messages.po` is one.

A catalog is read when somebody first speaks its language, once a process, and nothing is compiled
to another file: whoever adds a language adds that file and no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

from babel import Locale, UnknownLocaleError
from babel.support import NullTranslations

ENGLISH = "en"  # what the code and the templates are written in
TERRITORY = "US"  # whose dates and numbers a language has, where it is spoken there


@dataclass(frozen=True, kw_only=True)
class Language:
    """A language that pages speak: the name of its folder, and what Babel knows of it."""

    name: str
    locale: Locale

    @property
    def tag(self) -> str:
        """As HTML and HTTP write it (BCP 47)."""
        return self.name.replace("_", "-")

    @cached_property
    def label(self) -> str:
        """Its own name for itself: Español."""
        label = Locale.parse(self.name).get_display_name() or self.name
        return label[0].upper() + label[1:]

    @cached_property
    def direction(self) -> str:
        """`ltr`, or `rtl` as Arabic is written."""
        return self.locale.text_direction


class Catalogs:
    """The languages of a folder; English is one of them also without a file."""

    def __init__(self, folder: Path) -> None:
        self._paths = {path.parts[-3]: path for path in folder.glob("*/LC_MESSAGES/messages.po")}
        self._ready: dict[str, NullTranslations] = {}
        self._reading = Lock()
        names = [ENGLISH, *sorted(self._paths.keys() - {ENGLISH})]
        self.languages = {
            name: Language(name=name, locale=locale) for name in names if (locale := _locale(name))
        }

    def translations(self, name: str) -> NullTranslations:
        """The texts in a language. A broken file raises BrokenCatalog once, and is English then."""
        with self._reading:
            if name not in self._ready:
                self._ready[name] = NullTranslations()
                if name in self._paths:
                    from clever_login import po_files

                    self._ready[name] = po_files.texts(self._paths[name], name)
            return self._ready[name]

    def faults(self) -> Iterator[str]:
        """What is wrong in the files, in sentences for whoever writes them."""
        from clever_login import po_files

        for name, path in sorted(self._paths.items()):
            if name in self.languages:
                yield from po_files.faults(path, name)
            else:
                yield f"translations/{name} is not named after a language that Babel knows."


def _locale(name: str) -> Locale | None:
    for each in (f"{name}_{TERRITORY}", name):
        try:
            return Locale.parse(each)
        except (UnknownLocaleError, ValueError):
            continue
    return None
