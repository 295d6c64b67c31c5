"""Programs that generate parts of the documentation: screenshots and the API versions page."""
