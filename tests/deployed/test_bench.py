"""Runs small versions of the benchmarks, so that they keep working. No test asserts a speed."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from bench.commits.ratios import ratio
from bench.harness import open_loop as harness_open_loop
from bench.harness.nginx import run_behind_nginx
from bench.harness.open_loop import Login, WrongAnswer, log_in, run_open_loop
from bench.harness.resources import cpu_seconds
from bench.harness.stack import Stack, start_stack
from bench.harness.stats import percentile
from bench.peers.contenders import CONTENDERS, run_contender
from bench.scenarios import compare_logins, compare_servers, load_spike, soak
from bench.scenarios.phases import TINY, measure_contenders
from tests.support.running_app import ROOT

pytestmark = pytest.mark.servers
STALL_SECONDS = 2


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with start_stack(tmp_path_factory.mktemp("stage"), milliseconds=2) as started:
        yield started


# Benchmarks of other products, and those of rare situations, run in the longest tier.
OURS = [
    pytest.param(contender, marks=() if contender == "ours" else pytest.mark.long)
    for contender in compare_logins.ALL_CONTENDERS
]


@pytest.mark.parametrize("name", OURS)
def test_twenty_logins_of_each_contender_end_on_the_right_page_and_are_counted(
    stack: Stack, name: str
) -> None:
    (figures,) = measure_contenders(stack, [CONTENDERS[name]], TINY)
    assert (figures.steady.logins, figures.steady.errors) == (20, {})
    assert len(figures.steady.pages) == 3
    assert figures.a_login("requests") >= 2  # the district and school may be cached
    assert figures.steady.cpu_ms > 0
    assert figures.used_mb > 0
    keeps_accounts = name not in {"authlib", "bare"}
    assert (figures.commands["login"].store > 0) == keeps_accounts
    assert (figures.commands["login"].database > 0) == keeps_accounts
    if name == "ours":
        assert figures.commands["login"].store <= 5
        assert figures.commands["page"].store == 1
        of_the_example = (ROOT / "reading").is_dir()  # it reads the books of a student
        login, page = (figures.commands[name].database for name in ("login", "page"))
        assert (login, page) == (3 + of_the_example, 2 + of_the_example)
        assert figures.commands["anonymous page"].store == 0
    assert f"| {figures.steady.cpu_ms:.1f} |" in compare_logins.build_table([figures])
    assert "polyline" in compare_logins.draw_picture([figures])


async def _serve_with_a_stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request. During a stall, all requests wait, as in a frozen server."""
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(max(0.0, STALL["until"] - time.perf_counter()))
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()


STALL = {"until": 0.0}


def test_a_two_second_stall_counts_against_every_login_that_was_due_meanwhile() -> None:
    async def play() -> list[Login]:
        server = await asyncio.start_server(_serve_with_a_stall, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

        async def open_page(login: Login) -> None:
            if login.number == 20:
                STALL["until"] = time.perf_counter() + STALL_SECONDS
            async with harness_open_loop.open_browser(url) as browser:
                await browser.get("/")

        async with server:
            return await harness_open_loop.run_open_loop(range(100), 50, open_page)

    seconds = [login.seconds for login in asyncio.run(play())]
    assert percentile(seconds, 0.99) > 0.9 * STALL_SECONDS
    # A closed loop waits for each response, and would count only one slow request.
    assert sum(duration > STALL_SECONDS / 2 for duration in seconds) > 20


def test_a_page_of_another_person_counts_as_an_error() -> None:
    async def fail(login: Login) -> None:
        raise WrongAnswer(f"status {login.number} instead of the dashboard")

    (login,) = asyncio.run(harness_open_loop.run_open_loop([404], 1000, fail))
    assert login.error == "status 404 instead of the dashboard"


@pytest.mark.long
def test_the_latency_proxy_adds_the_configured_round_trip_time(tmp_path: Path) -> None:
    with start_stack(tmp_path, milliseconds=300) as far:
        (figures,) = measure_contenders(far, [CONTENDERS["bare"]], TINY)
    assert figures.steady.p50 > 4 * 300


@pytest.mark.long
def test_a_load_spike_loses_no_login_and_shows_nobody_anothers_page(stack: Stack) -> None:
    with run_contender(stack, CONTENDERS["ours"], workers=2) as app:
        rung = load_spike.run_spike(stack, app, 10, 20)
    assert (rung.step.logins, rung.step.errors) == (20, {})
    assert {"app", "Redis", "PostgreSQL", "upstream", "wire", "browsers"} <= rung.cpu.keys()


@pytest.mark.long
def test_with_a_failing_clever_no_code_is_exchanged_twice_and_nobody_sees_anothers_page(
    stack: Stack,
) -> None:
    morning = load_spike.run_degraded(stack, 10, 3)
    assert morning.logins == 30
    assert (morning.exchanged_again, morning.wrong_pages) == (0, 0)


@pytest.mark.long
def test_during_an_outage_pages_still_load_and_logins_get_an_error_page(stack: Stack) -> None:
    outage = load_spike.run_outage(stack, 10, 2)
    assert outage.errors
    assert outage.pages.keys() == {200}


@pytest.mark.long
def test_app_processes_behind_nginx_share_the_logins(stack: Stack) -> None:
    with run_behind_nginx(stack, 2) as app:
        before = [cpu_seconds(pid) for pid in (app.pid, *app.others)]
        rung = load_spike.run_spike(stack, app, 10, 30)
        after = [cpu_seconds(pid) for pid in (app.pid, *app.others)]
    assert (rung.step.logins, rung.step.errors) == (30, {})
    assert all(now > then for now, then in zip(after, before, strict=True))


@pytest.mark.long
def test_a_soak_reports_lost_logins_and_memory_for_each_minute(stack: Stack) -> None:
    table = soak.measure_and_report(stack, minutes=2, seconds=1)
    rows = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| ")]
    assert [row[0].strip() for row in rows] == ["minute", "0", "1", "2"]
    assert [row[2].strip() for row in rows[1:]] == ["0", "0", "0"]  # no login was lost


@pytest.mark.long
def test_a_server_is_measured_under_logins_and_slow_clients() -> None:
    with compare_servers.place(Path(sys.executable).parent) as place:
        figures = compare_servers.measure(place, ["ours"], rounds=1, logins=10)["ours"]
    assert figures.failed == 0
    assert figures.answered
    assert None not in figures.checks.values()
    assert figures.row("ours", figures).count("|") == len(compare_servers.HEAD) + 1


def test_a_login_that_is_restarted_after_a_double_click_finishes(stack: Stack) -> None:
    """Clicks twice. The first response is dropped together with its cookie."""
    with run_contender(stack, CONTENDERS["ours"]) as app:
        logins = asyncio.run(run_open_loop(range(20), 10, partial(log_in, app.site, clicks=2)))
    assert [login.error for login in logins if login.error] == []


ONE_MORE = """
    from sqlalchemy import text
    from clever_login.db.database import database

    def one_more() -> None:
        with database().read_session() as session:
            session.execute(text("SELECT 1"))

    app.before_request(one_more)
    return app
"""


def compare(folder: Path, old: str, new: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "bench.commits.compare",
        old,
        new,
        "--pairs",
        "2",
        "--logins",
        "3",
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def rows(text: str) -> dict[str, list[str]]:
    """Return the table's row for each count: old value, new value, verdict."""
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {cell[0]: cell[1:] for cell in cells}


def git(folder: Path, *words: str) -> None:
    name = ["-c", "user.name=A", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *name, *words], cwd=folder, check=True, capture_output=True)


@pytest.mark.long
def test_one_more_statement_per_request_is_the_only_reported_difference(
    tmp_path: Path,
) -> None:
    copy = tmp_path / "copy"
    git(ROOT, "clone", "--quiet", "--shared", str(ROOT), str(copy))
    app = copy / "app.py"
    app.write_text(app.read_text().replace("    return app\n", ONE_MORE.lstrip("\n")))
    git(copy, "commit", "--quiet", "--all", "--message", "A statement more")
    compared = compare(copy, "HEAD~1", "HEAD")
    assert compared.returncode == 1, compared.stdout + compared.stderr
    figures = rows(compared.stdout)
    old, new, word = figures["dashboard of a student: SQL statements"]
    assert (float(new) - float(old), word) == (1, "more")
    assert "of these SELECT" in figures
    (worse,) = re.findall(r"^Worse: (.*)", compared.stdout, re.M)  # may name CPU on a busy machine
    assert "SQL statements of a login," in worse
    unchanged = [name for name in figures if name.endswith(("store commands", "calls to Clever"))]
    assert len(unchanged) == 6
    assert {figures[name][2] for name in unchanged} == {"same"}


@pytest.mark.long
def test_comparing_a_commit_with_itself_shows_no_difference() -> None:
    compared = compare(ROOT, "HEAD", "HEAD")
    assert compared.returncode == 0, compared.stdout + compared.stderr
    counts = {name: row for name, row in rows(compared.stdout).items() if ":" in name}
    assert {row[2] for name, row in counts.items() if "CPU" not in name} == {"same"}


def test_an_unknown_commit_ends_with_one_sentence() -> None:
    compared = compare(ROOT, "HEAD", "no-such-commit")
    assert compared.returncode == 2
    assert re.search("no-such-commit.* failed", compared.stderr)
    assert "Traceback" not in compared.stderr


@pytest.mark.parametrize(
    ("new", "verdict"),
    [
        ([10.1, 9.9, 10.0, 10.1, 9.9, 10.0, 10.1, 9.9], "same"),
        ([11.1, 10.9, 11.0, 11.1, 10.9, 11.0, 11.1, 10.9], "more"),
        ([9.1, 8.9, 9.0, 9.1, 8.9, 9.0, 9.1, 8.9], "less"),
        ([12.0, 8.0, 11.0, 9.0, 12.0, 8.0, 11.0, 9.0], "not decided"),
    ],
)
def test_cpu_time_is_judged_by_its_whole_confidence_interval(
    new: list[float], verdict: str
) -> None:
    comparison = ratio([10.0] * len(new), new)
    assert comparison.low < comparison.middle < comparison.high
    assert comparison.verdict == verdict
