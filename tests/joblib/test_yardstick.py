"""The yardstick: joblib's own tests of its backends, with ours in loky's place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.require import require

SLOWEST = 600  # seconds for all of them; a quiet machine needs some 60, as loky does

# What fails, and why that is right: (test, with which backends) -> (a line of joblib that it stands on, the reason).
NESTED = (
    '"backed parallel loops cannot" in each.args[0] for each in warninfo',
    "it expects a warning that loops cannot be nested; here they can, and the inner loop runs in parallel",
)
SEPARATE = (
    "# Check that in loky, only one call can be run at a time with",
    "it expects the end of one generator to fail another's calls; here each ends only its own",
)
MAPPED = (
    "# Use max_nbytes=1 to force the use of memory-mapping even for small",
    "it looks for memory maps in `temp_folder`; arrays need none here, and are the call's own, writable",
)
DIFFERENT = {
    "test_nested_parallel_warnings[elsewhere-multiprocessing-True]": NESTED,
    "test_nested_parallel_warnings[multiprocessing-elsewhere-True]": NESTED,
    "test_nested_parallel_warnings[threading-elsewhere-True]": NESTED,
    "test_multiple_generator_call_separated_gc[generator-generator-elsewhere-True]": SEPARATE,
    "test_multiple_generator_call_separated_gc[generator-generator_unordered-elsewhere-True]": SEPARATE,
    "test_multiple_generator_call_separated_gc[generator_unordered-generator-elsewhere-True]": SEPARATE,
    "test_multiple_generator_call_separated_gc[generator_unordered-generator_unordered-elsewhere-True]": SEPARATE,
    "test_auto_memmap_on_arrays_from_generator[elsewhere]": MAPPED,
    "test_memmapping_leaks[elsewhere]": MAPPED,
    "test_globals_update_at_each_parallel_call": (
        "global MY_GLOBAL_VARIABLE",
        "a local function of an imported module reads that module as the worker has it; only __main__ travels",
    ),
}


@pytest.mark.slow
@pytest.mark.bound(SLOWEST + 20)
def test_joblibs_tests_of_backends_pass(tmp_path):
    joblib = require(module="joblib", install="pip install 'joblib>=1.4'")
    require(module="numpy", install="pip install numpy")
    theirs = Path(joblib.__file__).parent / "test" / "test_parallel.py"  # its import wants marks that we do not have
    output = tmp_path / "outcomes.json"
    command = [sys.executable, "-m", "tests.joblib.yardstick", "elsewhere", str(output)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SLOWEST, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes: dict[str, list[str]] = json.loads(output.read_text())
    failed = {name: details for name, (outcome, details) in outcomes.items() if outcome == "failed"}
    surprising = "\n".join(f"{name}\n{details}" for name, details in failed.items() if name not in DIFFERENT)
    assert not surprising, surprising
    assert set(failed) == set(DIFFERENT), "expected to fail, and pass: take them out of the table"
    source = theirs.read_text()
    assert [line for line, _ in DIFFERENT.values() if line not in source] == []
    assert sum(outcome == "passed" for outcome, _ in outcomes.values()) >= 220
    assert "the driver of a pool failed" not in done.stderr + done.stdout
