"""Published claims, stated as data and decided by sweeps (docs/claims.md).

A file of claims names a source, a config that feeds it, and statements: a number that is read off
the table of that sweep, and what the source says it is. `statement` is the grammar of such files,
`source` reads and checks them, `expression` the formulas in them; `reading` takes numbers from a
table and `taking` those of a curve, `verdict` decides, `table` and `page` keep and show it.
"""
