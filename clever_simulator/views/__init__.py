"""Every URL of Clever's that the simulator serves."""
