"""Ids that look like Clever's and are the same for the same seed."""

import hashlib


def made_id(seed: int, *what: object) -> str:
    """24 hexadecimal digits that begin, as Clever's do, with a time."""
    digest = hashlib.sha256(repr((seed, *what)).encode()).hexdigest()
    return f"64{digest[:22]}"
