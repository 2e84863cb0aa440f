"""Stored runs as series: baselines, comparisons, incidents, catalog."""
