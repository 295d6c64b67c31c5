"""What the commands in bin/ are made of. Standard library only."""
