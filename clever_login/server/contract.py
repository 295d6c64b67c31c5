"""What the server and the app tell each other: how long a request waited, how large it may be."""

QUEUE_SECONDS_KEY = (
    "clever_login.waited_seconds"  # in the WSGI environ; what visitors send begins with HTTP_
)
LONG_WAIT_SECONDS = 0.1  # a request that waited longer for a thread had to stand in line

MAX_BODY_BYTES = 64 * 1024  # our largest form is a role and a token
BODY_LIMIT_KEY = "body_limit"  # in app.extensions: (method, path) -> bytes, for larger bodies
