"""What is measured of recommendations, by name: numbers of a dataset as a whole, none of which is a value of it."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["RECOMMENDER_METRICS", "RECOMMENDER_WORDS"]

RECOMMENDER_METRICS: Mapping[str, str] = {
    "coverageRate": "coverage",
    "topTenRate": "popularity",
    "overlapRate": "turnover",
    "servedRate": "coverage",
    "exposureGini": "popularity",
    "similarityRate": "personalisation",
    "itemsRecommended": "coverage",
    "usersServed": "coverage",
    "unknownItemRate": "coverage",
    "meanPopularity": "popularity",
    "exposureDistance": "turnover",
    "listLength": "coverage",
}
"""Metric to the monitor that judges it, the most telling first; what ends in ``Rate`` is a share."""

RECOMMENDER_WORDS: Mapping[str, str] = {
    "coverageRate": "share of the catalogue that is recommended",
    "itemsRecommended": "items recommended",
    "unknownItemRate": "share of places with items that the catalogue lacks",
    "usersServed": "users served",
    "servedRate": "share of users served",
    "listLength": "places of a list",
    "exposureGini": "Gini index of exposure",
    "topTenRate": "share of the ten most recommended items",
    "meanPopularity": "popularity of what is recommended",
    "similarityRate": "what lists of two users share",
    "overlapRate": "what lists share with the version before",
    "exposureDistance": "distance from the version before",
}
"""The same for people."""
