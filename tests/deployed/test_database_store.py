"""Tests sessions in PostgreSQL: failures, expired rows, poolers, permissions, and statements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection

from clever_login.db import database_store
from clever_login.db.database_store import DELETED_AT_ONCE, SWEEP_ROWS, DatabaseStore
from clever_login.errors import DatabaseUnavailable, StoreUnavailable
from tests.support import running_app, stores
from tests.support.postgresql import Server, pgbouncer

pytestmark = pytest.mark.servers


@pytest.fixture
def server(postgres: str) -> Iterator[Server]:
    opened = Server(postgres)
    yield opened
    opened.close()


@pytest.fixture
def url(postgres: str) -> str:
    return running_app.new_database_with_tables(postgres)


class LostResponse:
    """A database of which the first response is lost after the commit."""

    def __init__(self, url: str) -> None:
        self._database = stores.open_database(url)
        self._lost = False

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        with self._database.autocommit() as connection:
            yield connection
        if not self._lost:
            self._lost = True
            self._database.close()
            raise DatabaseUnavailable("the response was lost")

    def close(self) -> None:
        self._database.close()


def test_a_lost_response_neither_uses_up_a_key_nor_gives_it_to_two(url: str) -> None:
    lossy: Any = LostResponse(url)
    store = DatabaseStore(lambda: lossy)
    assert store.add_if_absent("code-a", 60)
    assert not store.add_if_absent("code-a", 60)
    lossy.close()


def test_connections_that_the_server_closed_are_replaced_without_an_error(
    url: str, server: Server
) -> None:
    with stores.database_store(url) as store:
        for number in range(5):
            store.set("session-a", b"%d" % number, 60)
            server.hang_up(url)
            assert store.get("session-a") == b"%d" % number
            server.hang_up(url)
            assert store.add_if_absent(f"code-{number}", 60)


def test_a_silent_database_fails_earlier_for_the_store_than_for_other_statements(
    url: str, server: Server
) -> None:
    with stores.database_store(url) as store:
        store.set("session-a", b"1", 60)
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE clever_store IN ACCESS EXCLUSIVE MODE")
            # After four seconds, PostgreSQL itself would cancel the statement (57014).
            with pytest.raises(StoreUnavailable, match=r"^the database does not answer$"):
                store.get("session-a")
        assert store.get("session-a") == b"1"
        with server.stopped(), pytest.raises(StoreUnavailable, match="does not answer"):
            store.set("session-a", b"2", 60)
        assert store.get("session-a") is not None


def test_every_refusal_of_the_database_is_a_failure_of_the_store(url: str) -> None:
    with stores.database_store(url) as store:
        assert store.get("session-a") is None
        stores.run(url, "DROP TABLE clever_store")
        with pytest.raises(StoreUnavailable, match="42P01"):
            store.get("session-a")


def add_rows(url: str, prefix: str, number: int, seconds: int) -> None:
    """Add rows that expire in so many seconds, or have expired."""
    query = (
        "INSERT INTO clever_store SELECT %s || n, '1', now() + make_interval(secs => %s)"
        " FROM generate_series(1, %s) AS n"
    )
    with psycopg.connect(url) as connection:
        connection.execute(query, [prefix, seconds, number])


def test_writes_remove_expired_rows_in_batches(url: str) -> None:
    add_rows(url, "state-", 2 * SWEEP_ROWS + 1, -1)
    with stores.database_store(url) as store:
        left = []
        for number in range(4):
            store.add_if_absent(f"code-{number}", 60)
            left.append(len(stores.rows(url, "state-%")))
        assert left == [SWEEP_ROWS + 1, 1, 0, 0]
        add_rows(url, "state-", 1, -1)
        store.set("session-a", b"1", 60)  # less than five minutes later
        assert len(stores.rows(url, "state-%")) == 1
        assert store.delete_expired() == 1


def test_processes_that_remove_expired_rows_at_once_do_not_wait_for_each_other(url: str) -> None:
    add_rows(url, "state-", 4 * SWEEP_ROWS, -1)
    with stores.database_store(url) as store, ThreadPoolExecutor(4) as threads:
        with psycopg.connect(url) as other:
            other.execute("SELECT FROM clever_store WHERE key = 'state-1' FOR UPDATE")
            sweeps = [threads.submit(store.delete_expired) for _ in range(4)]
            assert sum(sweep.result() for sweep in sweeps) <= 4 * SWEEP_ROWS - 1
        while store.delete_expired():
            pass
        assert stores.rows(url) == {}


def test_more_keys_than_one_statement_deletes_are_all_deleted(url: str) -> None:
    add_rows(url, "session-", DELETED_AT_ONCE + 200, 60)
    with stores.database_store(url) as store:
        assert store.delete_matching("session-*") == DELETED_AT_ONCE + 200
        assert stores.rows(url) == {}


def test_a_user_with_the_four_permissions_on_rows_is_enough(url: str, server: Server) -> None:
    user, _ = server.new_user()
    stores.run(
        url,
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON clever_store TO {user};"
        f"GRANT SELECT ON clever_alembic_version TO {user}",
    )
    with stores.database_store(url.replace("//school@", f"//{user}@")) as store:
        use_every_method(store)


def use_every_method(store: DatabaseStore) -> None:
    for _ in range(6):  # psycopg prepares a statement at its fifth use
        store.set("session-a", b"1", 60)
        store.set("session-a", b"2", 60, only_existing=True)
        assert store.get("session-a") == b"2"
        assert store.add_if_absent("code-a", 60)
        assert store.delete_matching("session-*") == 1
        store.delete("code-a")
        store.delete_expired()


def test_behind_a_pooler_every_statement_may_get_another_connection(
    url: str, server: Server, tmp_path: Path
) -> None:
    with pgbouncer(server.url, tmp_path) as port:
        pooled = re.sub(r":\d+/", f":{port}/", url)
        with stores.database_store(pooled) as store, psycopg.connect(pooled) as other:
            use_every_method(store)
            other.execute("SELECT 1")  # keeps the connection that the store has used
            use_every_method(store)


def test_only_the_beginning_of_a_pattern_is_read_in_the_primary_key(url: str) -> None:
    add_rows(url, "state-", 5000, -1)
    stores.run(url, "ANALYZE clever_store")
    like = database_store.like_pattern("session-0123456789abcdef-*")
    query = database_store.KEYS_SQL.replace("%(like)s", f"'{like}'").replace("%(", "")
    with psycopg.connect(url) as connection:
        plan = connection.execute(f"EXPLAIN {query}".encode()).fetchall()
    assert "Index" in str(plan[0]), plan
