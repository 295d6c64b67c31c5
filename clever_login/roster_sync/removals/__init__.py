"""What Clever no longer shares: found by a full read, held for a review, and removed."""
