"""Drawings of graphs and networks, as SVG or PNG, without graphviz.

``draw_graph`` shows the ops behind a Tensor (``graph.py``), ``draw_model`` the layers of a network
(``model.py``).  ``layout.py`` places boxes, ``picture.py`` and ``pixels.py`` draw them.
"""

from tinygrad_hw.viz.graph import draw_graph
from tinygrad_hw.viz.model import draw_model
from tinygrad_hw.viz.picture import Arrow, Box, Drawing, arrange

__all__ = ["Arrow", "Box", "Drawing", "arrange", "draw_graph", "draw_model"]
