"""The history of syncs, as the pages, the sync, and the commands share it."""
