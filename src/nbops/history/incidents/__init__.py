"""Findings that stay open over runs: opened by the first bad run, resolved by the first good one, a file each.

``look`` says what one run shows and what it shows mended; ``ways`` which findings have one cause; ``course`` takes incidents
from run to run; ``people`` what somebody says about one; ``store`` keeps them below ``reports/incidents``; ``rebuild`` makes
them again.
"""
