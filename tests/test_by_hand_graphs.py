"""The graph functions by hand: against the course's samples, the engine and difference quotients."""

import json
import pathlib

import numpy as np
import pytest

from nets.__main__ import main
from nets.by_hand import graph_pictures, graphs

SAMPLES = pathlib.Path(__file__).parents[2] / "shared" / "data"


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_by_the_engine_and_by_quotients(name):
    errors = graphs.check(name)
    assert errors["engine_value"] <= 1e-12 and errors["engine_gradient"] <= 1e-12
    assert errors["central_differences"] < 1e-9


@pytest.mark.parametrize("file", ["eecs442_backprop.npz", "backprop-data.pkl"])
def test_samples_of_the_course(file):
    """Where the files are at hand: 100 samples each, to 1e-15."""
    if not (SAMPLES / file).exists():
        pytest.skip("the course's samples are not part of the project")
    tables = graphs.samples(SAMPLES / file)
    assert tables.keys() == {"f1", "f2", "f3_y1", "f3_y2"}
    for name, (inputs, outputs) in tables.items():
        assert len(outputs) == 100
        errors = graphs.check(name, inputs, outputs)
        assert errors["samples"] <= 1e-15 and errors["engine_gradient"] <= 1e-12


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_a_sum_of_parts_where_a_value_is_used_twice(name):
    """The picture's edges are those of the function: parts add up to the gradient of the value."""
    graph = graphs.GRAPHS[name]
    result = graph.by_hand(*graph.example)
    assert set(result.values) == {*graph.leaves, *graph.nodes}
    for value in (*graph.leaves, *graph.nodes):
        users = [node for node, entry in graph.nodes.items() if value in entry.inputs]
        if len(users) > 1:
            parts = sum(result.gradients[f"{value}_{node}"] for node in users)
            assert parts == pytest.approx(result.gradients[value], abs=1e-15)


def test_f4_has_at_least_five_operators():
    assert len(graphs.GRAPHS["f4"].nodes) >= 5


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="1 or 2, got 3"):
        graphs.f3(0.0, 0.0, 3)
    np.savez(tmp_path / "bad.npz", f1_inputs=np.zeros((2, 5)), f1_outputs=np.zeros(2))
    with pytest.raises(ValueError, match="f1 takes 6"):
        graphs.samples(tmp_path / "bad.npz")
    np.savez(tmp_path / "other.npz", g_inputs=np.zeros((2, 5)), g_outputs=np.zeros(2))
    with pytest.raises(ValueError, match="no inputs and outputs of f1"):
        graphs.samples(tmp_path / "other.npz")


def test_pictures_take_other_points(tmp_path):
    graph_pictures.draw(tmp_path / "f2.png", "f2", (0.0,))
    assert (tmp_path / "f2.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_command(tmp_path, capsys):
    np.savez(tmp_path / "samples.npz", f2_inputs=[[0.0], [1.0]], f2_outputs=[0.0, np.tanh(1.0)])
    arguments = ["by-hand", "graphs", "--samples", str(tmp_path / "samples.npz"), "--out"]
    assert main([*arguments, str(tmp_path / "run")]) == 0
    assert "| f4 | - |" in capsys.readouterr().out
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())["results"]
    assert found["within_limits"] and found["errors"]["f2"]["samples"] <= 1e-15
    report = (tmp_path / "run" / "report.md").read_text()
    assert all(f"({name}.png)" in report and (tmp_path / "run" / f"{name}.png").exists()
               for name in graphs.GRAPHS)
    np.savez(tmp_path / "samples.npz", f2_inputs=[[0.0]], f2_outputs=[0.1])
    assert main([*arguments, str(tmp_path / "wrong")]) == 1  # a sample that the function misses


def test_every_command_is_listed(capsys):
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    names = ("graphs", "layers", "train", "overfit", "test", "theory")
    assert all(f"by-hand {name} " in listed for name in names) and "hw02_imagenet_task2 " in listed
