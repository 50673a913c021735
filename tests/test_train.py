"""The training loop and what is around it: callbacks, early stopping, learning rates, event files."""

import builtins
import signal

import numpy as np
import pytest
from PIL import Image

import tinygrad_hw as thw
from nets import checkpoint
from nets.__main__ import main
from nets.runs import Conduct, Run
from nets.train import (
    BestModel,
    Callback,
    EarlyStopping,
    LearningRateFinder,
    ModelCheckpoint,
    TensorBoard,
    evaluate,
    fit,
    lr_find,
)
from nets.train.callbacks import best_epoch
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


def weights_of(net):
    return {name: value.numpy().copy() for name, value in net.state_dict().items()}


def assert_same_weights(net, weights):
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), weights[name], err_msg=name)


class Noting(Callback):
    """Writes down what it was told."""

    def __init__(self):
        self.told = []

    def on_train_begin(self, training):
        self.told.append("begin")

    def on_train_batch_end(self, training):
        self.told.append((training.step, training.loss, training.rows))

    def on_epoch_end(self, training, row):
        self.told.append(row)

    def on_interrupt(self, training):
        self.told.append("interrupt")

    def on_train_end(self, training):
        self.told.append("end")


class TestFit:
    def test_without_a_run_it_is_the_plain_loop_and_writes_nothing(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        net, optimizer, loader = problem()
        results = fit(net, optimizer, squared_error, loader, epochs=3, quiet=True)
        assert results["steps"] == 24 and results["best_loss"] is None and results["best_epoch"] == 0
        assert list(tmp_path.iterdir()) == []
        same, optimizer, loader = problem()
        same.train()
        for _ in range(3):
            for batch in loader:
                optimizer.zero_grad()
                squared_error(same, batch).backward()
                optimizer.step()
        assert_same_weights(net, weights_of(same))

    def test_with_a_run_it_gives_the_same_bits(self, tmp_path):
        net, optimizer, loader = problem()
        fit(net, optimizer, squared_error, loader, epochs=2, quiet=True)
        same, optimizer, loader = problem()
        fit(same, optimizer, squared_error, loader, epochs=2, quiet=True, run=Run("x", {}, tmp_path / "run"))
        assert_same_weights(net, weights_of(same))

    def test_callbacks_are_told_everything_in_order(self):
        net, optimizer, loader = problem()
        noting = Noting()
        results = fit(net, optimizer, squared_error, loader, lambda net: {"validation_loss": 0.5}, epochs=2,
                      callbacks=[noting], quiet=True)
        first, *steps, second, last = noting.told[:-1]
        assert (first, noting.told[-1]) == ("begin", "end")
        assert [step[0] for step in (*steps[:8], *steps[9:], second)] == list(range(1, 17))
        losses = [step[1] for step in steps[:8]]
        assert steps[8] == {"epoch": 1, "train_loss": pytest.approx(np.mean(losses)), "validation_loss": 0.5}
        assert last["epoch"] == 2 and results["best_loss"] == 0.5 and results["best_epoch"] == 1

    def test_the_end_is_told_after_an_error_and_a_signal(self):
        net, optimizer, loader = problem()
        noting = Noting()
        with pytest.raises(FloatingPointError, match="the loss became nan"):
            fit(net, optimizer, lambda net, batch: net(batch[0]).sum() * float("nan"), loader, epochs=2,
                callbacks=[noting], quiet=True)
        assert noting.told == ["begin", "end"]
        noting = Noting()

        def interrupted_error(net, batch):
            signal.raise_signal(signal.SIGTERM)
            return squared_error(net, batch)

        results = fit(net, optimizer, interrupted_error, loader, epochs=2, callbacks=[noting], quiet=True)
        assert noting.told[0] == "begin" and noting.told[2:] == ["interrupt", "end"]
        assert results["interrupted"] and results["steps"] == 1

    def test_progress_is_shown_unless_quiet(self, capsys):
        net, optimizer, loader = problem()
        fit(net, optimizer, squared_error, loader, lambda net: {"validation_loss": 0.25}, epochs=1)
        assert "epoch 1/1: loss " in (shown := capsys.readouterr().err) and "validation loss 0.2500" in shown
        fit(net, optimizer, squared_error, loader, epochs=1, quiet=True)
        assert capsys.readouterr().err == ""


class TestEvaluate:
    def test_means_over_rows_in_evaluation_mode(self):
        net, _, _ = problem()
        net[3].eval()
        x, y = thw.randn(10, 3), thw.randn(10, 1)
        found = evaluate(net, DataLoader(TensorDataset(x, y), 4), validation_loss=squared_error,
                         largest=lambda net, batch: net(batch[0]).max())
        assert [module.training for module in net] == [True, True, True, False, True]
        net.eval()
        parts = [net(x[at:at + 4]).max().item() for at in (0, 4, 8)]
        assert found == {"validation_loss": pytest.approx(squared_error(net, (x, y)).item(), rel=1e-5),
                         "largest": pytest.approx(np.dot(parts, [0.4, 0.4, 0.2]), rel=1e-5)}
        assert isinstance(found["largest"], float)

    def test_errors(self):
        with pytest.raises(ValueError, match="name what to compute"):
            evaluate(nn.Identity(), [])
        with pytest.raises(ValueError, match="yields no batch"):
            evaluate(nn.Identity(), [], loss=squared_error)


class TestEarlyStopping:
    @pytest.mark.parametrize("values, epochs, least, stops_after", [
        ((1, 2, 3, 4, 5), 1, 0.0, None),
        ((1, 2, 2, 2, 9), 2, 0.0, 4),
        ((3, 2, 1), 1, 0.0, 2),
        ((1.0, 1.05, 1.1, 1.15), 2, 0.2, 3),
        ((1, None, float("nan"), 5), 2, 0.0, 3),
    ])
    def test_when_it_has_enough(self, values, epochs, least, stops_after):
        rows = [{} if value is None else {"accuracy": value} for value in values]
        stopping = EarlyStopping("accuracy", epochs, least)
        stopped = next((count for count in range(len(rows) + 1) if stopping.has_enough(rows[:count])), None)
        assert stopped == stops_after

    @pytest.mark.parametrize("name, best", [("validation_loss", 2), ("word_error", 2), ("accuracy", 4)])
    def test_what_is_better(self, name, best):
        assert best_epoch([{name: value} for value in (2.0, 1.0, 1.0, 3.0)], name) == best
        assert best_epoch([], name) == best_epoch([{"other": 1}], name) == 0

    @pytest.mark.parametrize("epochs, least", [(0, 0.0), (1, -1.0), (1, float("nan"))])
    def test_wrong_arguments(self, epochs, least):
        with pytest.raises(ValueError, match="a positive patience and no negative min_delta"):
            EarlyStopping("loss", epochs, least)

    @pytest.mark.parametrize("make", [EarlyStopping, BestModel, lambda name: ModelCheckpoint("x", name)])
    def test_a_figure_that_is_not_there(self, make):
        net, optimizer, loader = problem()
        with pytest.raises(ValueError, match="no figure 'accuracy' to monitor; .* have epoch, train_loss"):
            fit(net, optimizer, squared_error, loader, epochs=3, callbacks=[make("accuracy")], quiet=True)

    def train(self, folder, stop_at=None):
        """The figure rises for three epochs, then falls; the net in the end is the best one."""
        net, optimizer, loader = problem()
        run, best = Run("x", {}, folder, Conduct(resume=True)), BestModel("validation_accuracy")

        def judge(net):
            number = len(run.history)
            if stop_at == number:
                signal.raise_signal(signal.SIGINT)
            return {"validation_accuracy": 0.1 * min(number, 4 - number)}

        results = fit(net, optimizer, squared_error, loader, judge, epochs=20, run=run, figure="accuracy",
                      quiet=True, callbacks=[EarlyStopping("validation_accuracy", 2), best])
        assert best.epoch == results["best_epoch"] and best.value == results["best_accuracy"]
        return results, run.history, net

    def test_training_ends_and_a_finished_one_does_not_begin_again(self, tmp_path):
        results, history, net = self.train(tmp_path / "run")
        assert results["epochs"] == 5 and results["best_epoch"] == 3 and not results["interrupted"]
        again, same, other = self.train(tmp_path / "run")
        assert same == history and again["steps"] == results["steps"] == 40
        assert_same_weights(other, weights_of(net))

    def test_interrupted_training_ends_where_it_would_have(self, tmp_path):
        _, whole, net = self.train(tmp_path / "whole")
        first, _, _ = self.train(tmp_path / "part", stop_at=3)
        assert first["interrupted"] and first["epochs"] == 4
        _, part, same = self.train(tmp_path / "part")
        assert part == whole
        assert_same_weights(same, weights_of(net))
        checkpoint.load(tmp_path / "part" / "best.safetensors", same)
        assert_same_weights(same, weights_of(net))


class TestModelCheckpoint:
    losses = (3.0, 1.0, 2.0, 0.5)

    def train(self, path, monitor):
        net, optimizer, loader = problem()
        losses = iter(self.losses)
        fit(net, optimizer, squared_error, loader, lambda net: {"validation_loss": next(losses)}, epochs=4,
            callbacks=[ModelCheckpoint(path, monitor)], quiet=True)
        return net

    @pytest.mark.parametrize("monitor, kept", [(None, [1, 2, 3, 4]), ("validation_loss", [1, 2, 4])])
    def test_which_epochs_are_kept(self, tmp_path, monitor, kept):
        net = self.train(tmp_path / "nets" / "{epoch:02d}-{validation_loss:.1f}.safetensors", monitor)
        assert sorted(path.name for path in (tmp_path / "nets").iterdir()) == [
            f"{epoch:02d}-{self.losses[epoch - 1]:.1f}.safetensors" for epoch in kept]
        again, optimizer, _ = problem(seed=1)
        facts = checkpoint.load(tmp_path / "nets" / "04-0.5.safetensors", again, optimizer)
        assert facts["epoch"] == 4 and facts["validation_loss"] == 0.5 and optimizer.state
        assert_same_weights(again, weights_of(net))

    @pytest.mark.parametrize("path", ["{epok}", "{epoch:s}", "{}"])
    def test_a_path_that_cannot_be_filled(self, tmp_path, path):
        with pytest.raises(ValueError, match="cannot be filled .*; an epoch has epoch, train_loss"):
            self.train(tmp_path / path, None)


class TestLearningRates:
    def test_everything_is_as_before(self):
        net, optimizer, loader = problem()
        net[3].eval()
        for batch in loader:  # momentum and running statistics are not those of the start
            optimizer.zero_grad()
            squared_error(net, batch).backward()
            optimizer.step()
        optimizer.zero_grad()
        weights = weights_of(net)
        momentum = [optimizer.state[p]["momentum_buffer"].numpy().copy() for p in net.parameters()]
        random = thw.get_rng_state().numpy().copy()
        found = lr_find(net, optimizer, squared_error, loader, num_training=20, max_lr=1.0)
        assert 2 <= len(found.rates) <= 20 and np.isfinite(found.losses).all()
        assert_same_weights(net, weights)
        for before, parameter in zip(momentum, net.parameters()):
            np.testing.assert_array_equal(optimizer.state[parameter]["momentum_buffer"].numpy(), before)
            assert parameter.grad is None
        np.testing.assert_array_equal(thw.get_rng_state().numpy(), random)
        assert [module.training for module in net] == [True, True, True, False, True]
        assert optimizer.param_groups[0]["lr"] == 0.01

    def test_a_loaders_own_random_numbers_are_as_before(self):
        net, optimizer, loader = problem()
        loader = DataLoader(loader.dataset, 4, shuffle=True, generator=thw.Generator().manual_seed(7))
        before = loader.generator.get_state().copy()
        lr_find(net, optimizer, squared_error, loader, num_training=20, max_lr=1.0)
        np.testing.assert_array_equal(loader.generator.get_state(), before)

    def rising(self):
        net = nn.Linear(1, 1, bias=False)
        x = thw.ones(4, 1)
        return lr_find(net, optim.SGD(net.parameters(), lr=1.0), squared_error, [(x, 3 * x)], min_lr=1e-4,
                       max_lr=100.0, num_training=60, smoothing=0.0)

    def test_the_suggestion_learns_and_ten_times_the_last_rate_does_not(self):
        found = self.rising()
        # The error shrinks by the factor |1 - 2 rate| a step: rates above 1 diverge.
        assert 0.01 < found.suggestion() < 1.0 < found.rates[-1] < 20 and np.allclose(
            np.diff(np.log(found.rates)), np.log(1e6) / 59)

    def test_plot(self, tmp_path):
        found = self.rising()
        found.plot(tmp_path / "rates.png")
        with Image.open(tmp_path / "rates.png") as picture:
            assert f"{found.suggestion():.2g}" in picture.info["Description"]

    @pytest.mark.parametrize("options", [{"min_lr": 0.0}, {"min_lr": 1.0, "max_lr": 0.5}, {"num_training": 1},
                                         {"smoothing": 1.0}, {"early_stop_threshold": 1.0}])
    def test_wrong_arguments(self, options):
        net, optimizer, loader = problem()
        with pytest.raises(ValueError, match="a test needs 0 < min_lr < max_lr"):
            lr_find(net, optimizer, squared_error, loader, **options)

    def test_nothing_to_learn_from(self):
        net, optimizer, _ = problem()
        with pytest.raises(ValueError, match="yields no batch"):
            lr_find(net, optimizer, squared_error, [])
        with pytest.raises(ValueError, match="not finite or explodes at once"):
            lr_find(net, optimizer, lambda net, batch: net(batch).sum() * float("nan"), [thw.ones(4, 3)])
        assert optimizer.param_groups[0]["lr"] == 0.01  # also after an error

    def test_the_callback_begins_with_the_suggestion_and_a_training_that_goes_on_keeps_it(self, tmp_path):
        rates = []
        for epochs in (1, 2):
            net, optimizer, loader = problem()
            finder = LearningRateFinder(tmp_path / "rates.png", num_training=12, max_lr=1.0)
            fit(net, optimizer, squared_error, loader, epochs=epochs, quiet=True, callbacks=[finder],
                run=Run("x", {}, tmp_path / "run", Conduct(resume=True)))
            rates.append(optimizer.param_groups[0]["lr"])
            assert (finder.found is None) == (epochs == 2) and (tmp_path / "rates.png").exists()
            (tmp_path / "rates.png").write_bytes(b"")
        assert rates[0] == rates[1] != 0.01 and (tmp_path / "rates.png").read_bytes() == b""


class TestTensorBoard:
    def scalars(self, folder):
        """``{tag: [(step, value), ...]}`` and the tags of histograms, as TensorBoard itself reads them."""
        accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
        events = accumulator.EventAccumulator(str(folder)).Reload()
        return ({tag: [(event.step, event.value) for event in events.Scalars(tag)]
                 for tag in events.Tags()["scalars"]}, events)

    def train(self, folder, stop=None, conduct=None, callbacks=()):
        net, optimizer, loader = problem()
        steps = iter(range(1, 100))
        run = Run("x", {}, folder, conduct or Conduct(resume=True))

        def after_step():
            if next(steps) == stop:
                signal.raise_signal(signal.SIGTERM)

        fit(net, optimizer, squared_error, loader, lambda net: {"validation_loss": float(len(run.history))},
            epochs=2, run=run, quiet=True, after_step=after_step, callbacks=callbacks)
        return run, net

    def test_event_files_hold_what_the_history_and_losses_hold(self, tmp_path):
        pytest.importorskip("tensorboard")
        run, net = self.train(tmp_path / "run", callbacks=[
            TensorBoard(tmp_path / "events", update_freq=4, histogram_freq=2)])
        found, events = self.scalars(tmp_path / "events")
        losses = [float(line.split(",")[2]) for line in run.path("losses.csv").read_text().split()[1:]]
        assert found["train_loss"] == [(8 * row["epoch"], pytest.approx(row["train_loss"], rel=1e-6))
                                       for row in run.history]
        assert found["validation_loss"] == [(8, 0.0), (16, 1.0)]
        assert found["step/loss"] == [(step, pytest.approx(losses[step - 1], rel=1e-6))
                                      for step in (4, 8, 12, 16)]
        assert found["step/learning_rate"][0] == (4, pytest.approx(0.01))
        histogram, = events.Histograms("0.weight")
        weights = net[0].weight.detach().numpy()
        assert histogram.step == 16 and histogram.histogram_value.num == weights.size == 24
        assert histogram.histogram_value.sum == pytest.approx(weights.sum(), rel=1e-4)
        assert sum(histogram.histogram_value.bucket) == 24

    def test_a_training_that_goes_on_is_shown_as_one(self, tmp_path):
        pytest.importorskip("tensorboard")
        conduct = Conduct(resume=True, tensorboard=True)
        self.train(tmp_path / "run", stop=12, conduct=conduct)
        run, _ = self.train(tmp_path / "run", conduct=conduct)
        found, _ = self.scalars(run.path("tensorboard"))
        assert len(list(run.path("tensorboard").iterdir())) == 2
        assert [step for step, _ in found["train_loss"]] == [8, 16]
        assert [step for step, _ in found["step/loss"]] == [10]

    def test_wrong_arguments(self):
        pytest.importorskip("tensorboard")
        with pytest.raises(ValueError, match="frequencies are 0 or more, got update_freq=-1"):
            TensorBoard("x", update_freq=-1)

    def test_a_missing_package_is_told_before_anything_is_done(self, tmp_path, monkeypatch, capsys):
        load = builtins.__import__

        def without(name, *arguments, **options):
            if name.startswith("tensorboard"):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return load(name, *arguments, **options)

        monkeypatch.setattr(builtins, "__import__", without)
        assert main(["run", "nist36-mlp", "--tensorboard", "--out", str(tmp_path / "run")]) == 1
        shown = capsys.readouterr().err
        assert "pip install '.[tensorboard]'" in shown and shown.count("\n") == 1
        assert not (tmp_path / "run").exists()
