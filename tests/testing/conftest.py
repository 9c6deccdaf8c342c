"""How tests of all kinds of schedulers look for a broken rule in the report."""

import re

import pytest


@pytest.fixture(scope="session")
def expect_broken():
    """Return a function that requires a check to fail in one rule with certain words."""

    def expect(check, broken, rule, words):
        with pytest.raises(AssertionError) as caught:
            check(broken)
        first, *lines = str(caught.value).splitlines()
        assert re.fullmatch(r"\S+ breaks \d of its rules", first)
        assert getattr(broken, "__name__", "") in first
        named = [line for line in lines if line.startswith(f"  {rule}: ")]
        assert named, lines
        assert re.search(words, named[0]), named[0]

    return expect
