"""Early stopping and the test of learning rates."""

import signal

import numpy as np
import pytest

import tinygrad_hw as thw
from nets.runs import Conduct, Run
from nets.train import fit, patience, rate_test
from tinygrad_hw import nn, optim
from tinygrad_hw.nn import functional as F
from tinygrad_hw.utils.data import DataLoader, TensorDataset


def squared_error(net, batch):
    return F.mse_loss(net(batch[0]), batch[1])


def problem(seed=0):
    """A net with batch norm and dropout, its optimizer, and a loader of 8 batches."""
    thw.manual_seed(seed)
    inputs = thw.randn(32, 3)
    targets = inputs @ thw.tensor([[1.0], [-2.0], [0.5]])
    net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 1))
    return net, optim.SGD(net.parameters(), lr=0.01, momentum=0.9), DataLoader(
        TensorDataset(inputs, targets), 4, shuffle=True)


class TestPatience:
    @pytest.mark.parametrize("values, epochs, least, stops_after", [
        ((1, 2, 3, 4, 5), 1, 0.0, None),
        ((1, 2, 2, 2, 9), 2, 0.0, 4),
        ((3, 2, 1), 1, 0.0, 2),
        ((1.0, 1.05, 1.1, 1.15), 2, 0.2, 3),
        ((1, None, float("nan"), 5), 2, 0.0, 3),
    ])
    def test_when_it_has_enough(self, values, epochs, least, stops_after):
        rows = [{} if value is None else {"accuracy": value} for value in values]
        enough = patience("accuracy", epochs, least)
        stopped = next((count for count in range(len(rows) + 1) if enough(rows[:count])), None)
        assert stopped == stops_after

    @pytest.mark.parametrize("epochs, least", [(0, 0.0), (1, -1.0), (1, float("nan"))])
    def test_wrong_arguments(self, epochs, least):
        with pytest.raises(ValueError, match="positive number of epochs and no negative difference"):
            patience("loss", epochs, least)

    def train(self, folder, stop_at=None):
        """The figure rises for three epochs, then falls."""
        net, optimizer, loader = problem()
        run = Run("x", {}, folder, Conduct(resume=True))

        def evaluate(net):
            number = len(run.history)
            if stop_at == number:
                signal.raise_signal(signal.SIGINT)
            return {"validation_accuracy": 0.1 * min(number, 4 - number)}

        return fit(net, optimizer, squared_error, loader, evaluate, epochs=20, run=run, figure="accuracy",
                   quiet=True, enough=patience("validation_accuracy", 2)), run.history

    def test_training_ends_and_a_finished_one_does_not_begin_again(self, tmp_path):
        results, history = self.train(tmp_path / "run")
        assert results["epochs"] == 5 and results["best_epoch"] == 3 and not results["interrupted"]
        again, same = self.train(tmp_path / "run")
        assert same == history and again["steps"] == results["steps"] == 40

    def test_interrupted_training_ends_where_it_would_have(self, tmp_path):
        _, whole = self.train(tmp_path / "whole")
        first, _ = self.train(tmp_path / "part", stop_at=3)
        assert first["interrupted"] and first["epochs"] == 4
        assert self.train(tmp_path / "part")[1] == whole


class TestRateTest:
    def test_everything_is_as_before(self):
        net, optimizer, loader = problem()
        net[3].eval()
        for batch in loader:  # momentum and running statistics are not those of the start
            optimizer.zero_grad()
            squared_error(net, batch).backward()
            optimizer.step()
        optimizer.zero_grad()
        weights = {name: value.numpy().copy() for name, value in net.state_dict().items()}
        momentum = [optimizer.state[p]["momentum_buffer"].numpy().copy() for p in net.parameters()]
        random = thw.get_rng_state().numpy().copy()
        test = rate_test(net, optimizer, squared_error, loader, steps=20, high=1.0)
        assert 2 <= len(test.rates) <= 20 and np.isfinite(test.losses).all()
        for name, value in net.state_dict().items():
            np.testing.assert_array_equal(value.numpy(), weights[name])
        for before, parameter in zip(momentum, net.parameters()):
            np.testing.assert_array_equal(optimizer.state[parameter]["momentum_buffer"].numpy(), before)
            assert parameter.grad is None
        np.testing.assert_array_equal(thw.get_rng_state().numpy(), random)
        assert [module.training for module in net] == [True, True, True, False, True]
        assert optimizer.param_groups[0]["lr"] == 0.01

    def test_the_steepest_rate_learns_and_ten_times_the_last_does_not(self):
        net = nn.Linear(1, 1, bias=False)
        x = thw.ones(4, 1)
        test = rate_test(net, optim.SGD(net.parameters(), lr=1.0), squared_error, [(x, 3 * x)], low=1e-4,
                         high=100.0, steps=60, smoothing=0.0)
        # The error shrinks by the factor |1 - 2 rate| a step: rates above 1 diverge.
        assert 0.01 < test.steepest < 1.0 < test.rates[-1] < 20 and np.allclose(
            np.diff(np.log(test.rates)), np.log(1e6) / 59)

    @pytest.mark.parametrize("options", [{"low": 0.0}, {"low": 1.0, "high": 0.5}, {"steps": 1},
                                         {"smoothing": 1.0}])
    def test_wrong_arguments(self, options):
        net, optimizer, loader = problem()
        with pytest.raises(ValueError, match="a test needs 0 < low < high"):
            rate_test(net, optimizer, squared_error, loader, **options)

    def test_nothing_to_learn_from(self):
        net, optimizer, _ = problem()
        with pytest.raises(ValueError, match="yields no batch"):
            rate_test(net, optimizer, squared_error, [])
        with pytest.raises(ValueError, match="not finite or explodes at once"):
            rate_test(net, optimizer, lambda net, batch: net(batch).sum() * float("nan"), [thw.ones(4, 3)])
        assert optimizer.param_groups[0]["lr"] == 0.01  # also after an error
