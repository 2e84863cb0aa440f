"""What events say of datasets and tasks, as facets of the client's own classes.

A column whose sources are known only as "all columns of" is told with each column of that dataset where these are known; where
they are not, the dataset stands among the inputs and the column is left out, as the format has no word for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    column_lineage_dataset,
    data_quality_assertions_dataset,
    data_quality_metrics_dataset,
    dataset_version_dataset,
    datasource_dataset,
    documentation_dataset,
    output_statistics_output_dataset,
    ownership_dataset,
    schema_dataset,
    tags_dataset,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbops.adapters.openlineage.naming import Names
    from nbops.model import CheckResult, ColumnEdge, Dataset, Measurement

__all__ = ["input_dataset", "named", "output_dataset", "tested_dataset"]

_DERIVED = frozenset({"identity", "transformation", "aggregation"})
_KNOWN = {
    "nullValues": "not_null",
    "duplicateValues": "unique",
    "rowCount": "row_count",
    "freshness": "freshness",
    "sql": "custom_sql",
    "schema": "schema",
}
"""The standard's examples of words for tests; other metrics keep their name."""


def named(names: Names, place: str) -> dict[str, Any]:
    """Return the facet that every dataset has: where it is."""
    name, uri = names.source(place)
    return {"dataSource": datasource_dataset.DatasourceDatasetFacet(name=name, uri=uri)}


def input_dataset(names: Names, place: str, dataset: Dataset | None) -> InputDataset:
    """Return a dataset that a task read."""
    namespace, name = names.dataset(place)
    return InputDataset(namespace=namespace, name=name, facets=_facets(names, place, dataset))


def output_dataset(names: Names, dataset: Dataset, *, edges: Iterable[ColumnEdge], known: Mapping[str, Dataset]) -> OutputDataset:
    """Return a dataset that a task made; of one that was held back only what it is called and would have held.

    Args:
        names: Names in this run.
        dataset: As recorded.
        edges: Where its columns come from.
        known: All datasets of the run by name.
    """
    namespace, name = names.dataset(dataset.path)
    facets = _facets(names, dataset.path, dataset)
    if (lineage := _column_lineage(names, dataset, edges, known)) is not None:
        facets["columnLineage"] = lineage
    found: dict[str, Any] = {}
    if dataset.published:
        found["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=dataset.rows, size=dataset.bytes, fileCount=1 if dataset.format != "relation" else None
        )
        facets |= _metrics(dataset)
    return OutputDataset(namespace=namespace, name=name, facets=facets, outputFacets=found)


def tested_dataset(names: Names, dataset: Dataset, results: Iterable[CheckResult]) -> InputDataset:
    """Return a dataset as its checks saw it: their verdicts, and what was measured."""
    found = input_dataset(names, dataset.path, dataset)
    assertions = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(assertions=[_assertion(r) for r in results])
    found.facets = {**(found.facets or {}), **_metrics(dataset)}
    found.inputFacets = {"dataQualityAssertions": assertions}
    return found


def _facets(names: Names, place: str, dataset: Dataset | None) -> dict[str, Any]:
    found = named(names, place)
    if dataset is None:
        return found
    if dataset.columns:
        fields = [
            schema_dataset.SchemaDatasetFacetFields(
                name=item.name, type=item.physical_type, description=item.description or None, fields=None
            )
            for item in dataset.columns
        ]
        found["schema"] = schema_dataset.SchemaDatasetFacet(fields=fields)
    if dataset.description:
        found["documentation"] = documentation_dataset.DocumentationDatasetFacet(description=dataset.description)
    if dataset.owner:
        found["ownership"] = ownership_dataset.OwnershipDatasetFacet(
            owners=[ownership_dataset.Owner(name=dataset.owner, type="OWNER")]
        )
    if dataset.content_hash and dataset.published:
        found["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=dataset.content_hash)
    if tags := _tags(dataset):
        found["tags"] = tags_dataset.TagsDatasetFacet(tags=tags)
    return found


def _tags(dataset: Dataset) -> list[tags_dataset.TagsDatasetFacetFields]:
    pairs: list[tuple[str, str, str | None]] = [(tag, "true", None) for tag in dataset.tags]
    if dataset.domain:
        pairs.append(("domain", dataset.domain, None))
    for column in dataset.columns:
        pairs += [(tag, "true", column.name) for tag in column.tags]
        if column.classification:
            pairs.append(("classification", column.classification, column.name))
    return [tags_dataset.TagsDatasetFacetFields(key=key, value=value, source="NBOPS", field=name) for key, value, name in pairs]


def _metrics(dataset: Dataset) -> dict[str, Any]:
    """Return what was measured, without estimates and texts; of personal columns nothing was measured that is a value."""
    columns: dict[str, dict[str, Any]] = {}
    words = {"nullValues": "nullCount", "distinctValues": "distinctCount", "minimum": "min", "maximum": "max"}
    for item in dataset.measurements:
        word = words.get(item.metric)
        if item.column is None or word is None or item.arguments or not _is_number(item):
            continue
        columns.setdefault(item.column, {})[word] = item.value
    if not columns and dataset.rows is None:
        return {}
    made = {}
    for name, found in columns.items():
        if dataset.rows is not None and "nullCount" in found:
            found["count"] = float(dataset.rows - found["nullCount"])
        made[name] = data_quality_metrics_dataset.ColumnMetrics(**found)
    facet = data_quality_metrics_dataset.DataQualityMetricsDatasetFacet(
        columnMetrics=made, rowCount=dataset.rows, bytes=dataset.bytes
    )
    return {"dataQualityMetrics": facet}


def _is_number(item: Measurement) -> bool:
    value = item.value
    return isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0  # neither NaN nor infinite


def _assertion(result: CheckResult) -> data_quality_assertions_dataset.Assertion:
    check = result.check
    return data_quality_assertions_dataset.Assertion(
        assertion=_KNOWN.get(check.metric, check.metric),
        success=result.verdict == "passed",
        column=check.column,
        severity=check.severity,
        name=check.id,
        description=result.message or check.description,
        expected=None if check.expected is None else _text(check.expected),
        actual=None if result.observed is None else _text(result.observed),
    )


def _text(value: Any) -> str:
    return " to ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _column_lineage(
    names: Names, dataset: Dataset, edges: Iterable[ColumnEdge], known: Mapping[str, Dataset]
) -> column_lineage_dataset.ColumnLineageDatasetFacet | None:
    fields: dict[str, dict[tuple[str, str, str], list[Any]]] = {}
    whole: dict[tuple[str, str, str], list[Any]] = {}
    columns = [column.name for column in dataset.columns]
    for edge in edges:
        targets = [edge.target_column] if edge.target_column is not None else columns if edge.kind == "derived" else []
        places = [fields.setdefault(name, {}) for name in targets] if targets or edge.kind == "derived" else [whole]
        for source in _sources(names, edge, known):
            for place in places:
                kinds = place.setdefault(source, [])
                kind = _transformation(edge)
                if kind not in kinds:
                    kinds.append(kind)
    if not any(fields.values()) and not whole:
        return None
    return column_lineage_dataset.ColumnLineageDatasetFacet(
        fields={name: column_lineage_dataset.Fields(inputFields=_input_fields(found)) for name, found in fields.items() if found},
        dataset=_input_fields(whole),
    )


def _sources(names: Names, edge: ColumnEdge, known: Mapping[str, Dataset]) -> list[tuple[str, str, str]]:
    source = known.get(edge.source)
    namespace, name = names.dataset(source.path if source is not None else edge.source)
    if edge.source_column is not None:
        return [(namespace, name, edge.source_column)]
    return [(namespace, name, column.name) for column in source.columns] if source is not None else []


def _transformation(edge: ColumnEdge) -> column_lineage_dataset.Transformation:
    direct = edge.kind == "derived"
    subtype = edge.transformation.upper() if direct == (edge.transformation in _DERIVED) else None
    return column_lineage_dataset.Transformation(
        type="DIRECT" if direct else "INDIRECT", subtype=subtype, description=f"known from: {edge.how}", masking=False
    )


def _input_fields(found: Mapping[tuple[str, str, str], list[Any]]) -> list[column_lineage_dataset.InputField]:
    return [
        column_lineage_dataset.InputField(namespace=namespace, name=name, field=field, transformations=kinds)
        for (namespace, name, field), kinds in found.items()
    ]
