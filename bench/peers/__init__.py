"""What people would use instead, each set up in one file as its own documentation says.

BENCH_URL is the site's own address, BENCH_CLEVER and BENCH_API are Clever's, BENCH_POSTGRES and
BENCH_REDIS where it may keep things.
"""
