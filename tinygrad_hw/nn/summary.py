"""A table of a network's layers: output shapes, parameters, multiply-adds and memory."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from tinygrad_hw.autograd.mode import no_grad
from tinygrad_hw.nn.module import Module
from tinygrad_hw.nn.multiply_adds import multiply_adds
from tinygrad_hw.nn.observe import as_found, example_input, tensors_in, watched

__all__ = ["LayerRow", "Summary", "summary"]


@dataclass
class LayerRow:
    """One layer of a `Summary`.

    Attributes:
        path: dotted name inside the network, empty for the network itself.
        kind: name of its class.
        depth: how many layers it is inside of.
        output_shapes: shapes of the Tensors that its last call returned; empty if it was not called.
        parameters: elements of its parameters; where the layers inside have rows of their own, without
            theirs.
        trainable: those of them that require a gradient.
        multiply_adds: of all calls, with those of layers inside that have no row.
        calls: how often it was called.
        shared_with: path of the row that stands for the same layer, which counts it.
    """

    path: str
    kind: str
    depth: int
    output_shapes: list[tuple] = field(default_factory=list)
    parameters: int = 0
    trainable: int = 0
    multiply_adds: int = 0
    calls: int = 0
    shared_with: str | None = None


@dataclass
class Summary:
    """What `summary` found; ``print`` shows the table.

    Attributes:
        rows: the layers down to the depth asked for.
        total_params: elements of all parameters, each counted once.
        trainable_params: those of them that require a gradient.
        total_mult_adds: multiply-adds of one forward pass.
        total_param_bytes: memory of the parameters.
        total_buffer_bytes: memory of the buffers.
        total_input_bytes: memory of the inputs.
        total_output_bytes: memory of what the innermost layers returned: about what a training step
            keeps for its backward pass.
    """

    rows: list[LayerRow]
    total_params: int
    trainable_params: int
    total_mult_adds: int
    total_param_bytes: int
    total_buffer_bytes: int
    total_input_bytes: int
    total_output_bytes: int

    @property
    def frozen_params(self) -> int:
        """Elements of the parameters that require no gradient."""
        return self.total_params - self.trainable_params

    def __str__(self) -> str:
        head = ("Layer", "Output shape", "Parameters", "Multiply-adds")
        table = [head, *map(_cells, _with_tree(self.rows))]
        widths = [max(map(len, column)) for column in zip(*table)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}".rstrip()
                 for a, b, c, d in table]
        bar = "=" * max(map(len, lines))
        size = (self.total_input_bytes + self.total_output_bytes + self.total_param_bytes
                + self.total_buffer_bytes)
        totals = [
            f"Parameters: {self.total_params:,} ({self.trainable_params:,} trainable, "
            f"{self.frozen_params:,} frozen)",
            f"Multiply-adds: {_short(self.total_mult_adds)}",
            f"Memory: inputs {_mb(self.total_input_bytes)}, activations {_mb(self.total_output_bytes)}, "
            f"parameters {_mb(self.total_param_bytes)}, buffers {_mb(self.total_buffer_bytes)}, "
            f"together {_mb(size)} MB",
        ]
        return "\n".join([lines[0], bar, *lines[1:], bar, *totals])

    __repr__ = __str__


def _with_tree(rows: list[LayerRow]):
    """``(branches, row)`` for each row; the branches draw the tree in front of its name."""
    for position, row in enumerate(rows):
        branches = ""
        for depth in range(1, row.depth + 1):
            goes_on = _has_sibling(rows, position, depth)
            last = depth == row.depth
            branches += ("├─" if goes_on else "└─") if last else ("│ " if goes_on else "  ")
        yield branches, row


def _has_sibling(rows: list[LayerRow], position: int, depth: int) -> bool:
    """Whether a row of this depth follows before one that is less deep."""
    for row in rows[position + 1:]:
        if row.depth <= depth:
            return row.depth == depth
    return False


def _cells(branch_and_row: tuple) -> tuple[str, str, str, str]:
    branches, row = branch_and_row
    name = row.path.rpartition(".")[2]
    title = f"{branches}{name}: {row.kind}" if name else row.kind
    if row.shared_with is not None:
        return title, f"shared with {row.shared_with}", "", ""
    if row.calls > 1:
        title += f" ×{row.calls}"
    shapes = ", ".join(str(list(shape)) for shape in row.output_shapes[:2]) or "-"
    if len(row.output_shapes) > 2:
        shapes += f", {len(row.output_shapes) - 2} more"
    parameters = f"{row.parameters:,}" if row.parameters else ""
    if row.parameters and row.trainable < row.parameters:
        parameters = f"({parameters})" if not row.trainable else f"{parameters} ({row.trainable:,} trainable)"
    return title, shapes, parameters, f"{row.multiply_adds:,}" if row.multiply_adds else ""


def _short(number: int) -> str:
    """A number with a decimal prefix, and itself."""
    for unit, name in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= unit:
            return f"{number / unit:.2f} {name} ({number:,})"
    return str(number)


def _mb(count: int) -> str:
    return f"{count / 1e6:.2f}"


class _Calls:
    """What the calls of all layers came to, by the identity of the layer."""

    def __init__(self):
        self.shapes: dict[int, list] = {}
        self.times, self.work = defaultdict(int), defaultdict(int)
        self.output_bytes = 0

    def after(self, path, module, args, kwargs, output) -> None:
        tensors = tensors_in(output)
        self.shapes[id(module)] = [tuple(tensor.shape) for tensor in tensors]
        self.times[id(module)] += 1
        given = (*args, *kwargs.values())
        self.work[id(module)] += multiply_adds(module, given, tensors[0] if tensors else None)
        if next(module.children(), None) is None:
            self.output_bytes += sum(map(_bytes, tensors))


def _bytes(tensor) -> int:
    return tensor.numel() * tensor.array_dtype.itemsize


def summary(model: Module, input_size=None, input_data=None, batch_dim: int | None = None, depth: int = 3,
            dtypes=None, mode: str = "eval") -> Summary:
    """The layers of a network with shapes, parameters, multiply-adds and memory.

    The network runs once without gradients, and is left as it was: modes, batch-norm statistics and
    random numbers.  Without sizes and data it does not run, and only parameters are counted.

    Args:
        model: the network.
        input_size: size of the input with the batch, such as ``(1, 3, 32, 32)``, or a list of the sizes
            of several inputs.
        input_data: in place of sizes a Tensor, a list of arguments, or a dict of named ones.
        batch_dim: where to put a batch dimension of 1 into the sizes; None if they have one.
        depth: how deep the table goes; layers further inside count for the last one shown.
        dtypes: list of the inputs' dtypes, float32 by default.
        mode: "eval", "train", or "same" for the modes that the layers are in.

    Source: the arguments are those of torchinfo, https://github.com/TylerYep/torchinfo

    >>> from tinygrad_hw import nn
    >>> print(summary(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)), (10, 3)))
    Layer        Output shape  Parameters  Multiply-adds
    ====================================================
    Sequential   [10, 1]
    ├─0: Linear  [10, 4]               16            120
    ├─1: ReLU    [10, 4]
    └─2: Linear  [10, 1]                5             40
    ====================================================
    Parameters: 21 (21 trainable, 0 frozen)
    Multiply-adds: 160
    Memory: inputs 0.00, activations 0.00, parameters 0.00, buffers 0.00, together 0.00 MB
    """
    calls, inputs = _Calls(), []
    if input_size is not None or input_data is not None:
        args, kwargs = example_input(input_size, input_data, batch_dim, dtypes)
        inputs = tensors_in([args, kwargs])
        with as_found(model, mode), no_grad(), watched(model, calls.after):
            model(*args, **kwargs)
    parameters, work = list(model.parameters()), sum(calls.work.values())
    rows: list[LayerRow] = []
    _add_rows(rows, "", model, 0, depth, calls, {}, set())
    return Summary(
        rows,
        sum(parameter.numel() for parameter in parameters),
        sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        work,
        sum(map(_bytes, parameters)),
        sum(map(_bytes, model.buffers())),
        sum(map(_bytes, inputs)),
        calls.output_bytes,
    )


def _add_rows(rows: list, path: str, module: Module, depth: int, limit: int, calls: _Calls,
              known: dict[int, str], counted: set[int]) -> None:
    """Rows for a layer and those inside it; ``counted`` holds the parameters that have been counted."""
    row = LayerRow(path, type(module).__name__, depth)
    rows.append(row)
    if id(module) in known:
        row.shared_with = known[id(module)] or type(module).__name__
        return
    known[id(module)] = path
    row.output_shapes, row.calls = calls.shapes.get(id(module), []), calls.times[id(module)]
    below = list(module._own_children()) if depth < limit else []
    insides = [module] if below else module.modules()
    row.multiply_adds = sum(calls.work.pop(id(inside), 0) for inside in insides)
    for parameter in module.parameters(recurse=not below):
        if id(parameter) not in counted:
            counted.add(id(parameter))
            row.parameters += parameter.numel()
            row.trainable += parameter.numel() * parameter.requires_grad
    for name, child in below:
        _add_rows(rows, f"{path}.{name}" if path else name, child, depth + 1, limit, calls, known, counted)
