"""``nbops.recommendations``: what a contract says of lists is read, edited, and refused with what is allowed."""

from __future__ import annotations

import pytest

from nbops.contract.fields import fields_of, set_field
from nbops.contract.odcs import load_contract
from nbops.errors import ContractError

TEXT = """apiVersion: v3.1.0
kind: DataContract
id: lists
version: "1.0.0"
schema:
  - name: lists   # daily
    properties:
      - {{name: person, physicalName: customer_id, logicalType: string}}
      - {{name: thing, logicalType: string}}
      - {{name: place, logicalType: integer}}
{more}"""


def written(tmp_path, value):
    more = f"    customProperties: [{{property: nbops.recommendations, value: {value}}}]\n" if value else ""
    path = tmp_path / "lists.odcs.yaml"
    path.write_text(TEXT.format(more=more), encoding="utf-8")
    return path


def test_columns_are_named_as_in_the_data_and_datasets_by_their_columns(tmp_path):
    said = "{user: person, item: thing, rank: place, catalogue: shop.things.id, users: people.id}"
    found = load_contract(written(tmp_path, said)).recommendations
    assert found
    assert (found.user, found.item, found.rank, found.score) == ("customer_id", "thing", "place", None)
    assert (found.catalogue, found.users, found.interactions) == (("shop.things", "id"), ("people", "id"), None)


def test_nothing_said_is_not_the_same_as_no(tmp_path):
    assert load_contract(written(tmp_path, "")).recommendations is None
    assert load_contract(written(tmp_path, "false")).recommendations is False


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{user: person}", ["schema[0].customProperties[0].value: 'item' is missing"]),
        ("{user: persn, item: thing}", ["value.user: unknown property 'persn'", "Did you mean 'person'?"]),
        ("{user: person, item: thing, ranks: place}", ["unknown key 'ranks'", "Did you mean 'rank'?"]),
        ("{user: person, item: person}", ["must be different columns"]),
        ("{user: person, item: thing, rank: thing}", ["must be different columns"]),
        ("{user: person, item: thing, catalogue: things}", ["catalogue: 'things' must be written as dataset.column"]),
        ("{user: 3, item: thing}", ["user: must be text"]),
        ("yes please", ["must be false, or a mapping with 'user', 'item'"]),
        ("[1]", ["must be false, or a mapping"]),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(tmp_path, value, words):
    with pytest.raises(ContractError) as caught:
        load_contract(written(tmp_path, value))
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_it_stands_at_the_table_and_nowhere_else(tmp_path):
    path = written(tmp_path, "")
    text = path.read_text(encoding="utf-8").replace(
        "{name: thing,", "{name: thing, customProperties: [{property: nbops.recommendations, value: false}],"
    )
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContractError, match=r"unknown nbops property 'nbops.recommendations'"):
        load_contract(path)


def test_a_form_sets_it_and_takes_it_out_again_leaving_all_else(tmp_path):
    text = written(tmp_path, "").read_text(encoding="utf-8")
    line = "user: person, item: thing, rank: place"
    made = set_field(text, "lists", "recommendations", line, shown="c")
    assert fields_of(made, "lists", shown="c")["recommendations"] == line
    assert "# daily" in made
    path = tmp_path / "lists.odcs.yaml"
    path.write_text(made, encoding="utf-8")
    said = load_contract(path).recommendations
    assert said
    assert said.rank == "place"
    other = set_field(made, "lists", "recommendations", "no", shown="c")
    assert fields_of(other, "lists", shown="c")["recommendations"] == "no"
    assert set_field(other, "lists", "recommendations", "", shown="c") == text
    with pytest.raises(ContractError, match="says nothing"):
        set_field(text, "lists", "recommendations", "person and thing", shown="c")
