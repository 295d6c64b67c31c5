"""The session of a logged-in user: who it is, how it is stored, and how it ends."""
