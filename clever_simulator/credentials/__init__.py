"""Authorization codes, tokens, signing keys and consents."""
