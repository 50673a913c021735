"""Backpropagation by hand, beside the engine that it checks.

In reading order: `graphs` (four graphs of scalars) and `graph_pictures`, `layers`, `classifiers`,
`pixels` (data sets as matrices), `training`, `cat_dog` (a network of three matrices), `theory`;
`experiments` and `commands` put them on the command line, `report` writes what came out.
"""
