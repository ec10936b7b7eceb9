"""The corpus as data: cases, requirements, mutants and revisions, read, checked and related to each other."""
