"""The shell: where the pure machine meets time, chance, storage and concurrency."""
