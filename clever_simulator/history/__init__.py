"""What has changed, and the events that report it."""
