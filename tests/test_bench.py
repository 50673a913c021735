"""The benchmark without PyTorch: its command line, its reports, and its networks in tinygrad_hw."""

import json

import numpy as np
import pytest

import tinygrad_hw
from bench import __main__ as command
from bench import kernels, operations, report, steps
from bench.duel import largest_difference
from bench.nets import TASKS, dyadic_weights, generator
from bench.report import Row

FACTS = {"processor": "a processor", "torch": "2.13.0"}


def rows():
    """Two good rows, a third without figures."""
    return [
        Row("steps", "small", 1, difference=2e-7,
            samples={"ours": [0.001, 0.002, 0.003], "eager": [0.004] * 3, "fused": [0.0025] * 3}),
        Row("steps", "large", 1, {"ours": [2.0], "eager": [1.0]}, difference=0.0),
        Row("steps", "broken", 1, error="ValueError: no\nsecond line", difference=float("nan")),
    ]


# ------------------------------------------------------------------ command line


def test_arguments():
    line = "steps ops --threads 1 4 --only mlp --quick"
    options = command.parser().parse_args(line.split())
    assert (options.suites, options.threads, options.only) == (["steps", "ops"], [1, 4], ["mlp"])
    assert options.quick and not options.compile and options.json is None


@pytest.mark.parametrize("arguments, message", [
    (["stpes"], "no suite 'stpes'"), (["steps", "--only", "vgg"], "no measurement is called vgg"),
    (["--threads", "0"], "0 is not a positive number"),
])
def test_wrong_commands_are_explained(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        command.main(arguments)
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_help_names_every_suite(capsys):
    with pytest.raises(SystemExit) as stop:
        command.main(["--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0 and all(f"  {suite} " in text for suite in command.SUITES)


def test_list(capsys):
    assert command.main(["steps", "--list", "--only", "RESNET18-INF"]) == 0
    assert capsys.readouterr().out.split("\n")[:1] == ["steps: resnet18-inference-b1"]


# ------------------------------------------------------------------ reports


def test_ratios():
    row = rows()[0]
    assert row.fastest == "fused"
    assert (row.ratio("eager"), row.ratio("fused")) == (0.5, 0.8)
    assert row.spread("fused") == pytest.approx((0.4, 1.2))


def test_table_is_aligned_and_shows_errors():
    lines = report.table(rows()).splitlines()
    assert len({len(line) for line in lines[:3]}) == 1
    assert "2.00 ms" in lines[1] and "fused" in lines[1] and "0.80" in lines[1]
    assert lines[3].endswith("FAILED: ValueError: no")
    assert report.table(rows()[2:]).splitlines()[1].startswith("broken ")


def test_summary_and_order():
    text = report.summary(rows())
    assert "geometric mean 1.00 of eager" in text
    assert "worst 2.00 (large)" in text and "1 of 3 failed" in text
    assert [row.name for row in report.worst_first(rows())] == ["broken", "large", "small"]


def test_json_is_strict(tmp_path):
    report.write_json(rows(), tmp_path / "found.json", report.environment({"ours": "0.1"}))
    found = json.loads((tmp_path / "found.json").read_text(), parse_constant=pytest.fail)
    assert found["environment"]["tinygrad_hw"] == "0.1"
    assert found["rows"][0]["ratio_to_fastest"] == 0.8 and found["rows"][2]["difference"] == "nan"


def test_chart(tmp_path):
    report.write_chart(rows(), tmp_path / "found.png", FACTS)
    assert (tmp_path / "found.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="nothing to draw"):
        report.write_chart(rows()[2:], tmp_path / "none.png", FACTS)


def test_difference_notices_everything():
    ones = {"a": np.ones(3)}
    assert largest_difference(ones, {"a": np.ones(3)}) == 0
    assert largest_difference({"a": np.full(3, 1.5)}, ones) == pytest.approx(0.5)
    for other in ({"b": np.ones(3)}, {"a": np.ones(2)}, {"a": np.full(3, np.nan)}):
        assert np.isnan(largest_difference(ones, other))


# ------------------------------------------------------------------ what is measured


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.exact])
def test_networks_train(name):
    """Each network builds and takes a step that changes every parameter's values."""
    task = TASKS[name]
    net = task.build(tinygrad_hw)
    optimizer = task.optimizer(tinygrad_hw, net.parameters(), fused=True)
    images, target = map(tinygrad_hw.from_numpy, task.data(name, batch=2))
    before = [parameter.detach().clone() for parameter in net.parameters()]
    loss = task.loss(tinygrad_hw, net(images), target)
    loss.backward()
    optimizer.step()
    assert np.isfinite(loss.item())
    for old, parameter in zip(before, net.parameters()):
        assert not tinygrad_hw.equal(old, parameter.detach())


@pytest.mark.parametrize("name", ["resnet18-inference-b1", "squeezenet-inference-b1"])
def test_large_networks_infer(name):
    task = TASKS[name]
    net = task.build(tinygrad_hw).eval()
    images = tinygrad_hw.from_numpy(task.data(name)[0][:, :, :64, :64].copy())
    with tinygrad_hw.no_grad():
        assert net(images).shape == (1, 1000)


def test_dyadic_weights_make_sums_exact():
    """Float32 and float64 agree to the bit on the last hidden layer of the deepest network."""
    task = TASKS["net3-b4"]
    images = task.data("net3-b4", batch=2)[0]
    outputs = []
    for dtype in (tinygrad_hw.float32, tinygrad_hw.float64):
        net = task.build(tinygrad_hw)
        steps.load(tinygrad_hw, net, dyadic_weights, "net3-b4")
        net.fc2 = tinygrad_hw.nn.Identity()
        with tinygrad_hw.no_grad():
            outputs.append(net.to(dtype)(tinygrad_hw.from_numpy(images).to(dtype)).double())
    assert tinygrad_hw.equal(*outputs) and outputs[0].abs().max() > 0


@pytest.mark.parametrize("name", ["exp 1e3 backward", "max_dim1 1e3 backward", "item 1e3 forward",
                                  "dropout 1e3 backward", "sort 1e4 forward"])
def test_ops_run(name):
    job = operations.prepare(name, tinygrad_hw, "ours")
    job.run()
    assert job.values()


@pytest.mark.parametrize("name", ["conv lenet-2 dX", "pool lenet-1 backward", "linear mlp-1000 dW",
                                  "loss cross_entropy-b64 forward", "optimizer mlp-1024 Adam"])
def test_kernels_run(name):
    job = kernels.prepare(name, tinygrad_hw, "ours")
    job.run()
    assert job.values()


def test_inputs_have_no_equal_values():
    values = operations.inputs(["x", "label"], 10_000, generator("x"))
    assert np.unique(values["x"]).size == values["x"].size == 10_000
    assert values["label"].max() < 100
