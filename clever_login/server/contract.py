"""Values shared by the server and the app: how long a request waited, how large it may be."""

QUEUE_SECONDS_KEY = (
    "clever_login.waited_seconds"  # in the WSGI environ; names of request headers begin with HTTP_
)
LONG_WAIT_SECONDS = 0.1  # a request that waited longer for a thread was queued

MAX_BODY_BYTES = 64 * 1024  # the app's largest form has a role and a token
BODY_LIMIT_KEY = "body_limit"  # in app.extensions: (method, path) -> bytes, for larger bodies
