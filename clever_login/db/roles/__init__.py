"""The two PostgreSQL roles: the release role owns the tables, the app's reads and writes rows."""
