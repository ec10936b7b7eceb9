"""What a run says: one NDJSON stream, header to footer, and everything that is drawn from it."""
