"""What a sync refuses: to remove too much, and to cross from one district to another."""
