"""Log in with Clever: the package that a cloner replaces whole to get a fix."""

__version__ = "0.1.0"
