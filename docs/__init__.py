"""Programs that make parts of these texts: pictures, and the page on the API's versions."""
