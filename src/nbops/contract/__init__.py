"""Contracts in the Open Data Contract Standard, and ``[tool.nbops]``, parsed once into frozen records."""
