"""One module per outside system, heavy imports inside."""
