"""Login, callback, logout, sessions, and permissions."""
