"""Talk to Clever: one pooled, time-boxed way out, and the client's verbs. No Flask in here."""
