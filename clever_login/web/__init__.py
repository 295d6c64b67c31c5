"""What every response needs: headers, error pages, static files, compression, health checks."""
