"""Where the nodes of a graph stand: a layered drawing in the way of Sugiyama.

Four steps, each a function: nodes get *ranks*, so that edges lead from lower to higher ones; edges over
several ranks are cut by *bends*, nodes without a size; the *order* within each rank is sorted until few
edges cross; then nodes move *across* until edges are nearly straight.

Source: Sugiyama, Tagawa, Toda, "Methods for Visual Understanding of Hierarchical System Structures", 1981
"""

from __future__ import annotations

from bisect import bisect, insort
from collections import defaultdict
from collections.abc import Callable

__all__ = ["layered"]

SWEEPS = 12
BEND = 0.1  # the weight of a bend where a node weighs 1: chains of nodes stand straight, long edges go around


def layered(sizes: list[tuple], edges: list[tuple[int, int]], gap: float = 24,
            rank_gap: Callable[[list, list], float] = lambda upper, lower: 44) -> tuple:
    """Places of nodes, and the points that each edge passes.

    Args:
        sizes: (width, height) of each node.
        edges: (from, to) of each edge, as positions in ``sizes``; no cycles.
        gap: smallest distance of neighbours in a rank.
        rank_gap: the distance between two neighbouring ranks, from the nodes of both.

    Returns:
        The centres (x, y) of the nodes, y growing along the edges, and for each edge its points.

    >>> centres, routes = layered([(10, 10)] * 3, [(0, 1), (1, 2), (0, 2)], 5, lambda upper, lower: 10)
    >>> [y for _, y in centres], len(routes[2])
    ([5.0, 25.0, 45.0], 4)
    """
    rank = ranks(len(sizes), edges)
    sizes, rank, chains = list(sizes), list(rank), []
    pieces = []
    for start, end in edges:
        chain = [start]
        for level in range(rank[start] + 1, rank[end]):
            chain.append(len(sizes))
            sizes.append((0, 0))
            rank.append(level)
        chain.append(end)
        chains.append(chain)
        pieces.extend(zip(chain, chain[1:]))
    rows: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    for node in depth_first(len(sizes), pieces):
        rows[rank[node]].append(node)
    above, below = defaultdict(list), defaultdict(list)
    for start, end in pieces:
        below[start].append(end)
        above[end].append(start)
    rows = untangled(rows, above, below)
    xs = across(rows, above, below, [width for width, _ in sizes], gap)
    count, tops = len(sizes) - sum(len(chain) - 2 for chain in chains), [0.0]
    heights = [max(sizes[node][1] for node in row) for row in rows]
    for upper, lower, height in zip(rows, rows[1:], heights):
        gap = rank_gap(*([node for node in row if node < count] for row in (upper, lower)))
        tops.append(tops[-1] + height + gap)
    centres = [(x, tops[r] + heights[r] / 2) for x, r in zip(xs, rank)][:count]
    routes = []
    for first, *bends, last in chains:  # a bend passes straight between the nodes of its rank
        passed = [(xs[bend], tops[rank[bend]] + part) for bend in bends for part in (0, heights[rank[bend]])]
        routes.append([centres[first], *passed, centres[last]])
    return centres, routes


def ranks(count: int, edges: list) -> list[int]:
    """The rank of each node: one more than the highest before it; sources stand right before their first use.

    >>> ranks(4, [(0, 1), (1, 2), (3, 2)])
    [0, 1, 2, 1]
    """
    rank, waiting, after, before = [0] * count, [0] * count, defaultdict(list), defaultdict(list)
    for start, end in edges:
        after[start].append(end)
        before[end].append(start)
        waiting[end] += 1
    ready = [node for node in range(count) if not waiting[node]]
    for node in ready:  # grows on the way
        for end in after[node]:
            rank[end] = max(rank[end], rank[node] + 1)
            waiting[end] -= 1
            if not waiting[end]:
                ready.append(end)
    if len(ready) < count:
        raise ValueError("the graph has a cycle, which cannot be drawn in ranks")
    for node in range(count):
        if not before[node] and after[node]:
            rank[node] = min(rank[end] for end in after[node]) - 1
    return rank


def depth_first(count: int, edges: list) -> list[int]:
    """The nodes, each after what leads to it and near to it: a good order to begin with."""
    before = defaultdict(list)
    has_after = {start for start, _ in edges}
    for start, end in edges:
        before[end].append(start)
    seen, order = set(), []
    for last in (node for node in range(count) if node not in has_after):
        stack = [(last, False)]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack.extend((start, False) for start in reversed(before[node]))
    return order


def crossings(rows: list, below: dict) -> int:
    """How many pairs of edges between neighbouring ranks cross."""
    total = 0
    for row, following in zip(rows, rows[1:]):
        place = {node: position for position, node in enumerate(following)}
        passed: list[int] = []
        for node in row:
            ends = [place[end] for end in below[node]]
            total += sum(len(passed) - bisect(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return total


def untangled(rows: list, above: dict, below: dict) -> list:
    """The rows, sorted by the mean place of the neighbours, down and up in turns; the best that was seen."""
    best, fewest = [list(row) for row in rows], crossings(rows, below)
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        neighbours = above if downwards else below
        order = range(1, len(rows)) if downwards else range(len(rows) - 2, -1, -1)
        for level in order:
            fixed = rows[level - 1] if downwards else rows[level + 1]
            place = {node: position / max(len(fixed) - 1, 1) for position, node in enumerate(fixed)}
            own = {node: position / max(len(rows[level]) - 1, 1) for position, node in enumerate(rows[level])}
            rows[level] = sorted(rows[level], key=lambda node: _mean(
                [place[one] for one in neighbours[node]], own[node]))
        count = crossings(rows, below)
        if count < fewest:
            best, fewest = [list(row) for row in rows], count
    return best


def _mean(values: list, default: float) -> float:
    return sum(values) / len(values) if values else default


def across(rows: list, above: dict, below: dict, widths: list, gap: float) -> list[float]:
    """The x of each node: near to the mean of its neighbours', but in order and with gaps."""
    xs = [0.0] * len(widths)
    for row in rows:
        for position, x in zip(row, separated([0.0] * len(row), [1.0] * len(row), row, widths, gap)):
            xs[position] = x
    for sweep in range(2 * SWEEPS):
        neighbours = above if sweep % 2 == 0 else below
        for row in (rows if sweep % 2 == 0 else rows[::-1]):
            weights = [BEND if not widths[node] else max(len(neighbours[node]), 0.1) for node in row]
            wanted = [_pull(neighbours[node], xs, widths, xs[node]) for node in row]
            for node, x in zip(row, separated(wanted, weights, row, widths, gap)):
                xs[node] = x
    left = min((x - width / 2 for x, width in zip(xs, widths)), default=0.0)
    return [x - left for x in xs]


def _pull(neighbours: list, xs: list, widths: list, default: float) -> float:
    """The mean x of the neighbours; long edges, which end in bends, hardly move a node."""
    pulls = [BEND if not widths[one] else 1.0 for one in neighbours]
    return sum(pull * xs[one] for pull, one in zip(pulls, neighbours)) / sum(pulls) if pulls else default


def separated(wanted: list, weights: list, row: list, widths: list, gap: float) -> list[float]:
    """The x nearest to the wanted ones, in weighted squares, that keep the order and the gaps.

    Neighbours that would overlap are merged to a block, which stands at the mean of what its members want
    (the pool-adjacent-violators algorithm of isotonic regression).
    """
    offsets = [0.0]
    for left, right in zip(row, row[1:]):
        offsets.append(offsets[-1] + (widths[left] + widths[right]) / 2 + gap)
    blocks: list[list] = []  # [mean, weight, members]
    for want, weight, offset in zip(wanted, weights, offsets):
        blocks.append([want - offset, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, heavy, members = blocks.pop()
            one = blocks[-1]
            one[0] = (one[0] * one[1] + mean * heavy) / (one[1] + heavy)
            one[1] += heavy
            one[2] += members
    means = [mean for mean, _, members in blocks for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets)]
