"""Drawings of graphs and networks: what is in them, and where it stands."""

import itertools
import pathlib
import re
import xml.etree.ElementTree as xml

import numpy as np
import pytest

import tinygrad_hw as torch
from tinygrad_hw import nn, viz
from tinygrad_hw.viz.layout import crossings, layered, ranks, separated

SVG = "{http://www.w3.org/2000/svg}"


def lines(drawing):
    return [box.lines for box in drawing.boxes]


def ends(drawing):
    """The arrows as pairs of titles."""
    titles = [box.lines[0] for box in drawing.boxes]
    return {(titles[arrow.start], titles[arrow.end]) for arrow in drawing.arrows}


# ------------------------------------------------------------------ layout


def random_graph(rng, count, chance):
    edges = [(a, b) for a, b in itertools.combinations(range(count), 2) if rng.random() < chance]
    return [(float(rng.integers(20, 90)), float(rng.integers(10, 40))) for _ in range(count)], edges


@pytest.mark.parametrize("seed", range(6))
def test_no_boxes_overlap_and_arrows_go_down(seed):
    sizes, edges = random_graph(np.random.default_rng(seed), 25, 0.12)
    centres, routes = layered(sizes, edges, gap=10)
    for (a, b), (size_a, size_b) in zip(itertools.combinations(centres, 2), itertools.combinations(sizes, 2)):
        apart = [abs(p - q) >= (m + n) / 2 + 9.99 for p, q, m, n in zip(a, b, size_a, size_b)]
        assert any(apart)
    for (start, end), route in zip(edges, routes):
        assert route[0] == centres[start] and route[-1] == centres[end]
        heights = [y for _, y in route]
        assert heights == sorted(heights) and heights[0] < heights[-1]


def test_long_edges_pass_beside_boxes():
    """The edge from 0 to 3 goes around 1 and 2."""
    centres, routes = layered([(40, 20)] * 4, [(0, 1), (1, 2), (2, 3), (0, 3)])
    assert max(x for x, _ in centres) - min(x for x, _ in centres) < 10
    for x, y in routes[3][1:-1]:
        assert all(abs(x - u) > 20 for u, v in centres if abs(y - v) <= 10)


def test_untangles():
    """Two rows joined crosswise can be drawn without a crossing."""
    edges = [(0, 5), (1, 4), (2, 3), (3, 6), (4, 6), (5, 6)]
    centres, _ = layered([(10, 10)] * 7, edges)
    rows = [sorted((n for n in range(7) if centres[n][1] == y), key=lambda n: centres[n][0])
            for y in sorted({y for _, y in centres})]
    assert crossings(rows, {n: [b for a, b in edges if a == n] for n in range(7)}) == 0


def test_crossings_are_counted():
    assert crossings([[0, 1], [2, 3]], {0: [3], 1: [2]}) == 1
    assert crossings([[0, 1], [2, 3]], {0: [2, 3], 1: [2, 3]}) == 1


def test_sources_stand_near_their_use():
    assert ranks(4, [(0, 1), (1, 2), (3, 2)]) == [0, 1, 2, 1]


def test_a_cycle_is_refused():
    with pytest.raises(ValueError, match="cycle"):
        ranks(2, [(0, 1), (1, 0)])


def test_separated_is_nearest_to_what_is_wanted():
    """Against a search: no small move that keeps the gaps comes nearer."""
    rng = np.random.default_rng(0)
    wanted, weights = rng.normal(0, 20, 6).tolist(), rng.uniform(0.5, 3, 6).tolist()
    widths = [10.0] * 6
    xs = separated(wanted, weights, list(range(6)), widths, 5.0)
    assert all(b - a >= 15 - 1e-9 for a, b in itertools.pairwise(xs))

    def cost(places):
        return sum(w * (x - want) ** 2 for w, x, want in zip(weights, places, wanted))

    for _ in range(3000):
        moved = [x + dx for x, dx in zip(xs, rng.normal(0, 1, 6))]
        if all(b - a >= 15 for a, b in itertools.pairwise(moved)):
            assert cost(moved) >= cost(xs) - 1e-9


# ------------------------------------------------------------------ graphs


def test_values_and_gradients_of_numbers():
    a, b = (torch.tensor(v, requires_grad=True) for v in (2.0, 3.0))
    product = a * b
    loss = (product + a).exp()
    drawing = viz.draw_graph(loss, locals())
    rate = float(np.exp(8.0))
    assert lines(drawing) == [
        ["a", "value 2", f"grad {4 * rate:.4g}"], ["b", "value 3", f"grad {2 * rate:.4g}"],
        ["product = ×", "value 6", f"grad {rate:.4g}"], ["+", f"grad {rate:.4g}"],
        ["loss = exp", f"value {rate:.4g}", "grad 1"]]
    assert ends(drawing) == {("a", "product = ×"), ("b", "product = ×"), ("product = ×", "+"), ("a", "+"),
                             ("+", "loss = exp")}
    assert [box.style for box in drawing.boxes] == ["parameter", "parameter", "op", "op", "output"]


def test_drawing_changes_nothing():
    x = torch.tensor(2.0, requires_grad=True)
    y = x * x
    seen = []
    y.register_hook(seen.append)
    y.retain_grad()
    loss = y * 3
    viz.draw_graph(loss)
    assert x.grad is None and y.grad is None and not seen
    loss.backward()
    assert x.grad.item() == 12 and y.grad.item() == 3 and len(seen) == 1


def test_a_freed_graph_is_drawn_without_gradients():
    x = torch.tensor(2.0, requires_grad=True)
    loss = x * x
    loss.backward()
    assert lines(viz.draw_graph(loss, {"x": x})) == [["x", "value 2"], ["×", "value 4"]]


def test_shapes_stand_on_the_arrows():
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    loss = nn.functional.cross_entropy(net(torch.ones(5, 4)), torch.tensor([0, 1, 2, 0, 1]))
    drawing = viz.draw_graph(loss, net.named_parameters())
    assert ["0.weight", "8×4"] in lines(drawing) and ["2.bias", "3"] in lines(drawing)
    labels = sorted(arrow.label for arrow in drawing.arrows)
    assert labels == sorted(["8×4", "8", "5×8", "5×8", "3×8", "3", "5×3"])


def test_the_line_of_an_op_is_shown():
    y = torch.tensor(2.0, requires_grad=True).exp()
    assert "test_viz.py" in viz.draw_graph(y).boxes[-1].hint


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="no history to draw"):
        viz.draw_graph(torch.ones(2))


# ------------------------------------------------------------------ networks


class Block(nn.Module):
    """A residual block."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        return torch.relu(self.norm(self.conv(x)) + x)


def test_a_residual_block():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), Block())
    drawing = viz.draw_model(net, (2, 1, 8, 8))
    assert ends(drawing) == {
        ("input", "0: Conv2d"), ("0: Conv2d", "conv: Conv2d"), ("conv: Conv2d", "norm: BatchNorm2d"),
        ("norm: BatchNorm2d", "+"), ("0: Conv2d", "+"), ("+", "relu"), ("relu", "output")}
    assert lines(drawing)[1] == ["0: Conv2d", "1, 4, kernel_size=(3, 3), …", "40 parameters"]
    assert {arrow.label for arrow in drawing.arrows} == {"2×1×8×8", "2×4×6×6"}
    (frame,) = drawing.frames
    inside = [box for box in drawing.boxes if box.group]
    assert frame.title == "1: Block" and len(inside) == 4
    for box in drawing.boxes:
        within = frame.left < box.centre[0] < frame.right and frame.top < box.centre[1] < frame.bottom
        assert within == bool(box.group)


def test_depth():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), Block())
    drawing = viz.draw_model(net, (2, 1, 8, 8), depth=1)
    assert [box.lines[0] for box in drawing.boxes] == ["input", "0: Conv2d", "1: Block", "output"]


def test_a_layer_called_twice_has_two_boxes():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 3)

        def forward(self, x):
            return self.fc(self.fc(x))

    drawing = viz.draw_model(Twice(), (1, 3))
    assert [box.lines[0] for box in drawing.boxes] == ["input", "fc: Linear", "fc: Linear", "output"]
    assert [(arrow.start, arrow.end) for arrow in drawing.arrows] == [(0, 1), (1, 2), (2, 3)]


def test_indices_frozen_parameters_and_idle_layers():
    net = nn.Sequential(nn.Embedding(10, 4), nn.Dropout(), nn.Linear(4, 2)).requires_grad_(False)
    drawing = viz.draw_model(net, (7,), dtypes=["int64"])
    assert ends(drawing) == {("input", "0: Embedding"), ("0: Embedding", "1: Dropout"),
                             ("1: Dropout", "2: Linear"), ("2: Linear", "output")}
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_layers_that_are_one_box():
    """A network that is a layer itself, and attention, which has a layer inside."""
    assert [box.lines[0] for box in viz.draw_model(nn.LSTM(3, 4), (5, 2, 3)).boxes[:2]] == ["input", "LSTM"]
    encoder = viz.draw_model(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0), (5, 2, 8))
    titles = [box.lines[0] for box in encoder.boxes]
    assert "self_attn: MultiheadAttention" in titles and not any("out_proj" in title for title in titles)


def test_parameters_used_by_ops_have_boxes():
    class Shift(nn.Module):
        def __init__(self):
            super().__init__()
            self.by = nn.Parameter(torch.ones(3))
            self.inner = nn.Identity()

        def forward(self, x):
            return self.inner(x + self.by)

    assert ("by", "+") in ends(viz.draw_model(Shift(), (2, 3)))


def test_the_network_is_left_as_it_was():
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout())
    before = {name: value.array.copy() for name, value in net.state_dict().items()}
    torch.manual_seed(0)
    expected = torch.rand(3).tolist()
    torch.manual_seed(0)
    viz.draw_model(net, (4, 3), mode="train")
    assert torch.rand(3).tolist() == expected and net.training
    assert all(np.array_equal(before[name], value.array) for name, value in net.state_dict().items())
    assert not torch.autograd.is_anomaly_enabled()
    assert all(parameter.grad is None for parameter in net.parameters())


# ------------------------------------------------------------------ files


@pytest.fixture
def drawing():
    x = torch.tensor(2.0, requires_grad=True)
    return viz.draw_graph((x * x).sqrt(), {'<x & "y">': x})


@pytest.mark.parametrize("direction", ["down", "right"])
def test_svg_is_well_formed_and_inside_its_bounds(direction):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Sequential(Block(), Block()), nn.Flatten(), nn.Linear(144, 2))
    picture = viz.draw_model(net, (2, 1, 8, 8), direction=direction)
    root = xml.fromstring(picture.svg())
    left, top, width, height = map(float, root.get("viewBox").split())
    for one in root.iter(SVG + "rect"):
        x, y = float(one.get("x")), float(one.get("y"))
        assert left - 0.2 <= x and x + float(one.get("width")) <= left + width + 0.2
        assert top - 0.2 <= y and y + float(one.get("height")) <= top + height + 0.2
    paths = [one for one in root.iter(SVG + "path") if one.get("marker-end")]
    assert len(paths) == len(picture.arrows)
    assert len(picture.frames) == 3


def test_text_is_escaped(drawing):
    texts = [one.text for one in xml.fromstring(drawing.svg()).iter(SVG + "text")]
    assert '<x & "y">' in texts


def test_notebooks_show_svg(drawing):
    assert drawing._repr_svg_() == drawing.svg()


def test_save(drawing, tmp_path):
    from PIL import Image

    drawing.save(tmp_path / "graph.svg")
    drawing.save(tmp_path / "graph.png", dpi=96)
    assert (tmp_path / "graph.svg").read_text() == drawing.svg()
    pixels = np.asarray(Image.open(tmp_path / "graph.png").convert("RGB"), float)
    assert abs(pixels.shape[1] - drawing.width) <= 1 and abs(pixels.shape[0] - drawing.height) <= 1
    (x, y), (_, height) = drawing.boxes[-1].centre, drawing.boxes[-1].size
    inside = pixels[int(y - drawing.top - height / 2 + 4), int(x - drawing.left)]
    assert inside[1] > inside[0] + 10, "the box of the result is green"


def test_directions(drawing):
    with pytest.raises(ValueError, match="'down' or 'right', got 'up'"):
        viz.arrange(drawing.boxes, drawing.arrows, "up")


# ------------------------------------------------------------------ the page


def test_the_page_runs_and_prints_what_it_says(capsys, tmp_path, monkeypatch):
    """The Python blocks of docs/seeing.md run in order; a text block is what was printed since the last."""
    text = (pathlib.Path(__file__).parent.parent / "docs" / "seeing.md").read_text()
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for language, block in re.findall(r"```(python|text)\n(.*?)```", text, re.S):
        if language == "python":
            exec(compile(block, "docs/seeing.md", "exec"), namespace)
        else:
            assert capsys.readouterr().out == block
    assert sorted(path.name for path in tmp_path.iterdir()) == ["block.png", "block.svg", "graph.png"]
