"""Alternatives to this app, each set up in one file as its own documentation says.

BENCH_URL is the site's own URL. BENCH_CLEVER and BENCH_API are Clever's. BENCH_POSTGRES and
BENCH_REDIS are the databases that the site may use.
"""
