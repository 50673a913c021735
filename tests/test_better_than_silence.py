"""What PyTorch leaves unsaid or leaves out: warnings about wrong habits, and other differences on purpose.

The table of differences is in docs/differences.md; errors are in test_errors.py.
"""

import copy
import warnings

import numpy as np
import pytest

import tinygrad_hw as torch
from tinygrad_hw import nn, optim


def warned(run) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    assert all(one.filename == __file__ for one in caught), "a warning points to the user's line"
    return [str(one.message) for one in caught]


def training(clear, steps=3, optimizer=optim.SGD):
    """Some steps of a small network; ``clear`` gets the network and the optimizer before each backward."""
    network = nn.Linear(2, 1)
    rule = optimizer(network.parameters(), 0.1)

    def run():
        for _ in range(steps):
            clear(network, rule)
            network(torch.ones(1, 2)).sum().backward()
            rule.step()

    return run


def test_forgotten_zero_grad_is_noticed():
    messages = warned(training(lambda network, rule: None, 2))
    assert len(messages) == 1 and "optimizer.zero_grad() before backward()" in messages[0]


@pytest.mark.parametrize("clear", [
    lambda network, rule: rule.zero_grad(),
    lambda network, rule: rule.zero_grad(set_to_none=False),
    lambda network, rule: network.zero_grad(),
    lambda network, rule: network.zero_grad(set_to_none=False),
    lambda network, rule: [p.grad.zero_() for p in network.parameters() if p.grad is not None],
])
def test_gradients_that_are_cleared_are_no_reason_to_warn(clear):
    assert warned(training(clear)) == []


def test_gradients_summed_for_one_step_are_no_reason_to_warn():
    def accumulate(network, rule):
        rule.zero_grad()
        network(torch.ones(1, 2)).sum().backward()

    assert warned(training(accumulate)) == []


def test_gradients_left_by_another_network_are_no_reason_to_warn():
    """A generator's backward leaves gradients in its critic, which are cleared before the critic's step."""
    critic = nn.Linear(2, 1)
    rule = optim.SGD(critic.parameters(), 0.1)

    def run():
        for _ in range(2):
            rule.zero_grad()
            critic(torch.ones(1, 2)).sum().backward()
            rule.step()
            critic(torch.ones(1, 2, requires_grad=True)).sum().backward()

    assert warned(run) == []


def test_replaced_layers_are_noticed():
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 5))
    rule = optim.SGD(network.parameters(), 0.1)
    network[1] = nn.Linear(2, 3)

    def run():
        for _ in range(2):
            rule.zero_grad()
            network(torch.ones(1, 2)).sum().backward()
            rule.step()

    messages = warned(run)
    assert len(messages) == 1
    assert "2 of the 4 parameters" in messages[0] and "(5, 2)" in messages[0]


def test_frozen_layers_are_no_reason_to_warn():
    network = nn.Sequential(nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 1))
    rule = optim.SGD(network.parameters(), 0.1)

    def run():
        network(torch.ones(1, 2)).sum().backward()
        rule.step()

    assert warned(run) == []


@pytest.mark.parametrize("after", [True, False])
def test_a_running_total_that_keeps_graphs_is_noticed(after):
    weight = torch.ones(2, requires_grad=True)

    def run():
        total = 0.0
        for _ in range(3):
            loss = (weight * weight).sum()
            if after:
                loss.backward()
            total += loss
            if not after:
                loss.backward()

    messages = warned(run)
    assert messages and all("total += loss.item()" in message for message in messages)


def test_a_sum_of_losses_before_backward_is_no_reason_to_warn():
    weight = torch.ones(2, requires_grad=True)

    def run():
        for _ in range(2):
            total = 0.0
            for _ in range(3):
                total += (weight * weight).sum()
            total.backward()
        seen = 0.0
        for _ in range(2):
            loss = (weight * weight).sum()
            loss.backward()
            seen += loss.item()
            seen += loss.detach()

    assert warned(run) == []


def test_layers_in_a_plain_list_are_trained():
    """On purpose different, see docs/differences.md: PyTorch trains none of them, without a word."""
    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(2, 2), nn.Linear(2, 2)]

    assert [name for name, _ in Stack().named_parameters()][:2] == ["layers.0.weight", "layers.0.bias"]


def test_same_bits_for_any_number_of_threads():
    """On purpose different: PyTorch's results depend on the number of threads."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 36, 5))
    images = torch.randn(6, 3, 8, 8)
    results, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            twin = copy.deepcopy(network)
            twin(images).square().sum().backward()
            results.append([parameter.grad.numpy() for parameter in twin.parameters()])
    finally:
        torch.set_num_threads(before)
    assert all(np.array_equal(a, b) for a, b in zip(*results))
