"""The code behind the commands in bin/. Standard library only."""
