"""The plugin look-up: built-ins, missing names, two plugins of one name."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from nbops import plugins
from nbops.errors import PluginError


@pytest.fixture
def installed(monkeypatch):
    def install(*entries):
        plugins._registry.cache_clear()
        plugins.load.cache_clear()
        monkeypatch.setattr(plugins, "entry_points", lambda group: [item for item in entries if item.group == group])

    yield install
    plugins._registry.cache_clear()
    plugins.load.cache_clear()


def test_every_built_in_can_be_loaded():
    for group, names in plugins.BUILT_IN.items():
        assert plugins.names(group) == tuple(sorted(names))
        for name in names:
            made = plugins.load(group, name)()
            methods = {"nbops.alerters": ("send",), "nbops.checks": ("requests", "judge"), "nbops.exporters": ("open",)}[group]
            assert all(callable(getattr(made, method)) for method in methods)


def test_a_missing_name_lists_what_is_installed():
    with pytest.raises(PluginError, match=r"no plugin is called 'nullValue'\. Allowed: .*Did you mean 'nullValues'\?"):
        plugins.load("nbops.checks", "nullValue")


def test_a_plugin_is_found_and_two_of_one_name_are_refused(installed):
    installed(EntryPoint("mine", "nbops.quality.kinds:Threshold", "nbops.checks"))
    assert "mine" in plugins.names("nbops.checks")
    assert plugins.load("nbops.checks", "mine").__name__ == "Threshold"
    installed(EntryPoint("nullValues", "elsewhere:Kind", "nbops.checks"))
    with pytest.raises(PluginError, match="two plugins are called 'nullValues'"):
        plugins.names("nbops.checks")


def test_a_plugin_that_cannot_be_imported(installed):
    installed(EntryPoint("mine", "no_such_module_anywhere:Kind", "nbops.checks"))
    with pytest.raises(PluginError, match="cannot be imported"):
        plugins.load("nbops.checks", "mine")
