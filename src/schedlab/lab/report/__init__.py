"""The report: a ledger of claims, a page per system and the executed notebooks, all offline."""
