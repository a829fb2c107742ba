"""Who calls: proving an identity, and the tokens given for it (spec security.md 2-4)."""
