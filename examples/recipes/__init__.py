"""The recipes of docs/recipes.md. Each module is a file that you can put beside app.py."""
