"""The contract as the harness reads it: operations, errors, message shapes, and where the data lies."""
