"""The stub that editors read names every method that Tensor has."""

import ast
import pathlib

import tinygrad_hw
from tinygrad_hw.stubs import stub


def test_stub_is_up_to_date():
    written = pathlib.Path(tinygrad_hw.__file__).with_name("tensor.pyi").read_text()
    assert written == stub(), "run: python -m tinygrad_hw.stubs"


def test_stub_is_valid_and_complete():
    tree = ast.parse(stub())
    (tensor,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    named = {node.name for node in tensor.body if isinstance(node, ast.FunctionDef)}
    named |= {node.target.id for node in tensor.body if isinstance(node, ast.AnnAssign)}
    methods = {name for name in dir(tinygrad_hw.Tensor) if not name.startswith("_")}
    assert methods - named <= {"array", "record", "recorder"}, sorted(methods - named)
