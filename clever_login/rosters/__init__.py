"""Who may see whom, and the pages that show classes, schools and districts."""
