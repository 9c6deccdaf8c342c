"""Contracts: what each system asks of a scheduler, as checks to run on a class of your own.

Every module holds the rules of one kind of scheduler. A rule is a function of something that makes
a fresh scheduler, the class itself for instance, and raises ``AssertionError`` with what is
wrong and where. Nothing here needs pytest::

    from schedlab.testing.serving import check_policy

    check_policy(Mine)

With pytest each rule can be a test of its own::

    from schedlab.testing import serving

    @pytest.mark.parametrize("rule", serving.POLICY_RULES, ids=serving.name_of)
    def test_mine_keeps(rule):
        rule(Mine)

Without writing anything: ``python -m schedlab.testing serving extensions.serving.mine:Mine``.
"""
