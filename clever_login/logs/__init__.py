"""Structured logs: `events` writes them, `pseudonyms` names users, `app_logging` sets both up."""
