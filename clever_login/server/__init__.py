"""The web server: a gunicorn worker on waitress's event loop."""
