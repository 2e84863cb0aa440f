"""Lineage of notebook code: which cell made which column, and of what."""

from nbops.lineage.code.analysis import analyse_code
from nbops.lineage.code.records import Access, CellFacts, CodeLineage

__all__ = ["Access", "CellFacts", "CodeLineage", "analyse_code"]
