"""Pages and URLs that change what the simulator does."""
