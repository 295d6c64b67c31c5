"""The history of syncs, and the sync that a district administrator has asked for."""
