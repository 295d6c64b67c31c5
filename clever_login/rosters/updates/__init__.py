"""The button that starts a sync, and the history of syncs, for district administrators."""
