"""Memory safety: every op with random calls, valid and not, between guard bytes.

Kernels take raw addresses, so what Python checks before decides everything.  `buffers` makes arrays that lie
between guard bytes, `calls` makes random calls, ``python -m tests.guards --cases 50000`` looks at many.
"""
