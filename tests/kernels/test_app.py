"""The kernel's command line, which is read without ipykernel's parser where it is as always."""

from __future__ import annotations

import json
import subprocess
import sys

_USUAL = [
    ["-f", "/tmp/x y/c.json"],
    ["-f", "c.json", "--HistoryManager.hist_file=:memory:"],
    ["-f", "c.json", "--HistoryManager.hist_file=/tmp/history-1.sqlite"],
]
_OTHERS = [
    [],
    ["-f"],
    ["-f", "--debug"],
    ["--debug", "c.json"],
    ["-f", "c.json", "--debug"],
    ["-f", "c.json", "--IPKernelApp.log_level=10"],
    ["-f", "c.json", "--HistoryManager.hist_file='a b'"],
    ["-f", "c.json", "--HistoryManager.hist_file=:memory:", "--pylab"],
]
_COMPARE = """
import json, sys
from ipykernel.kernelapp import IPKernelApp
from nbops.kernels.app import plain_configuration

usual, others = json.loads(sys.argv[1])
answers = []
for arguments in usual:
    app = IPKernelApp()
    app.parse_command_line(arguments)
    found = plain_configuration(arguments)
    kinds = [[type(value).__name__ for part in config.values() for value in part.values()] for config in (found, app.cli_config)]
    answers.append(found == app.cli_config and kinds[0] == kinds[1] and app.extra_args == [])
print(json.dumps([answers, [plain_configuration(arguments) is None for arguments in others]]))
"""


def test_the_usual_command_line_means_what_ipykernel_makes_of_it_and_others_are_left_to_it():
    # in a process of its own: an application of ipykernel makes other libraries believe that they are in a notebook
    done = subprocess.run(
        [sys.executable, "-c", _COMPARE, json.dumps([_USUAL, _OTHERS])], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [[True] * len(_USUAL), [True] * len(_OTHERS)]
