"""The page of a config, ``index.html``: answers, figures, an explorer of the table, in one file.

`write` puts it together, `table` is what the explorer is given, `assets/` what a browser runs:
plain JavaScript and CSS, set into the page as they are.
"""
