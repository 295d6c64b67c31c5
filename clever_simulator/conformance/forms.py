"""Finds a form on a page, to log out: many apps log out by a form with a CSRF token."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin


@dataclass
class _Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[_Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect forms and their fields."""
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(_Form(values.get("action", "")))
        elif tag == "input" and self.forms and values.get("name"):
            self.forms[-1].fields[values["name"]] = values.get("value", "")


def find_form(page_url: str, text: str, action: str) -> dict[str, str] | None:
    """Return the fields of the form on a page that is sent to a URL, or None without one."""
    parser = _Forms()
    parser.feed(text)
    for form in parser.forms:
        if urljoin(page_url, form.action) == action:
            return form.fields
    return None
