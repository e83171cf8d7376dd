"""Published claims, stated as data and decided by sweeps (docs/claims.md).

A file of claims names a source, a config that feeds it, and statements: a number that is read off
the table of that sweep, and what the source says it is. `statement` reads such files, `expression`
the formulas in them, `reading` takes the numbers from a table, `verdict` decides, `table` and
`page` keep and show what was decided.
"""
