"""Examples of apps and of recipes, each tested in tests/examples/."""
