"""Lineage of columns and cells."""
