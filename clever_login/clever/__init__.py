"""Every HTTP request to Clever: OAuth, OpenID Connect, users, profiles, status page. No Flask."""
