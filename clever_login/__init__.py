"""Log in with Clever: authentication, accounts, rosters, and the web server worker.

A project based on this repository gets a fix by replacing the whole package.
"""

__version__ = "0.1.0"
