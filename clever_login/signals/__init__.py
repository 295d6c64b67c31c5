"""Signals: functions of your app that the library calls at logins and inside syncs.

The sender is the Flask app. Every name in `__all__` is public; docs/library.md lists when each
signal is sent, and with which arguments.
"""

from __future__ import annotations

from blinker import Namespace

from clever_login.signals.rows import (
    EnrollmentRow,
    PersonChange,
    PersonMerge,
    PersonRow,
    SchoolRole,
    SectionChange,
    SectionRow,
)

__all__ = [
    "EnrollmentRow",
    "PersonChange",
    "PersonMerge",
    "PersonRow",
    "SchoolRole",
    "SectionChange",
    "SectionRow",
    "enrollments_added",
    "enrollments_removed",
    "logged_in",
    "logged_out",
    "login_failed",
    "people_archived",
    "people_changed",
    "people_created",
    "people_forgotten",
    "people_merged",
    "people_restored",
    "person_exported",
    "sections_changed",
]

_signals = Namespace()

# At logins, outside of any transaction.
logged_in = _signals.signal("logged-in", "A user has logged in: `identity`, `account_id`.")
logged_out = _signals.signal("logged-out", "A user has logged out: `account_id`.")
login_failed = _signals.signal("login-failed", "A login failed: `code`, `reference`.")

# Inside the transaction that changes the rows: `connection`, `district_id`, `rows`. In one
# transaction they are sent in this order.
people_merged = _signals.signal("people-merged", "Two rows were one person: PersonMerge.")
people_created = _signals.signal("people-created", "New people: PersonRow.")
people_restored = _signals.signal("people-restored", "Archived people came back: PersonRow.")
people_changed = _signals.signal("people-changed", "Names, roles, schools: PersonChange.")
sections_changed = _signals.signal(
    "sections-changed", "New, changed, and archived sections: SectionChange."
)
enrollments_added = _signals.signal("enrollments-added", "New enrollments: EnrollmentRow.")
enrollments_removed = _signals.signal("enrollments-removed", "Ended enrollments: EnrollmentRow.")
people_archived = _signals.signal("people-archived", "People who are not shared: PersonRow.")
# Before the rows are deleted.
people_forgotten = _signals.signal("people-forgotten", "People to be deleted: PersonRow.")
# In the transaction that reads the library's data of a person: `connection`, `district_id`,
# `person_id`.
person_exported = _signals.signal("person-exported", "A person's data is exported.")
