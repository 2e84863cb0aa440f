"""Datasets measured, judged and, where a contract says so, freed of rows that break its rules."""
