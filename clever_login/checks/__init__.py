"""What `flask clever doctor` looks at; each room checks one part, and none knows the others."""
