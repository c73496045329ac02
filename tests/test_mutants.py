"""Every guard that `make mutants` removes is where the script looks for it."""

import pytest

from scripts.mutant import Mutant
from scripts.mutants import MUTANTS, ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.guard)
def test_mutant_edits_one_line_and_names_tests_that_exist(mutant: Mutant) -> None:
    assert (ROOT / mutant.path).read_text().count(mutant.old) == 1
    assert all((ROOT / test).is_file() for test in mutant.tests)
