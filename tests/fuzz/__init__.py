"""Hostile input for everything that reads files: ``python -m tests.fuzz --inputs 100000``.

`parsers` is the table of what is tested and what each may do; `seeds` makes whole files of each kind;
`mutation` damages them; `runner` looks at what happens.
"""
