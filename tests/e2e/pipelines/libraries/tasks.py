from types import ModuleType

import joblib
import matplotlib.pyplot as plt
import pandas as pd
import papermill
import sqlalchemy
from IPython.display import HTML
from nbconvert import HTMLExporter
from papermill import execute_notebook
from ploomber.io import serializer, unserializer

for module in (joblib, pd, plt, papermill, sqlalchemy):
    assert type(module) is ModuleType, module
assert isinstance(HTML, type)
assert isinstance(HTMLExporter, type)
assert execute_notebook.__module__ == "papermill.execute"


@serializer(defaults=[".csv"], fallback="joblib")
def save(obj, product):
    raise AssertionError("not reached")


@unserializer(defaults=[".csv"], fallback="joblib")
def load(product):
    raise AssertionError("not reached")


def make():
    return pd.DataFrame({"a": [1, 2, 3]})


def total(upstream):
    assert type(upstream["make"]) is pd.DataFrame
    return upstream["make"].sum().to_frame("a")
