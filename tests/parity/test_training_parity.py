"""Whole networks: ten steps from the same weights and data give the same losses and weights."""

import numpy as np
import pytest

import tinygrad_hw as thw

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

STEPS = 10


def mlp(lib):
    """Classes from a multilayer perceptron; SGD with Nesterov momentum and weight decay."""
    nn = lib.nn
    net = nn.Sequential(
        nn.Linear(10, 32),
        nn.ReLU(),
        nn.Dropout(0.0),
        nn.Linear(32, 16),
        nn.LayerNorm(16),
        nn.Tanh(),
        nn.Linear(16, 4),
    )
    optimizer = lib.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3, nesterov=True)
    return net, optimizer, nn.CrossEntropyLoss(label_smoothing=0.1)


def lenet(lib):
    """LeNet written as a class, with views and functions in its forward; Adam and a falling rate."""
    nn, F = lib.nn, lib.nn.functional

    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
            self.fc1, self.fc2, self.fc3 = (
                nn.Linear(16 * 2 * 2, 60),
                nn.Linear(60, 40),
                nn.Linear(40, 10),
            )

        def forward(self, x):
            x = F.max_pool2d(F.relu(self.conv1(x), inplace=True), 2)
            x = F.avg_pool2d(self.conv2(x).relu(), 2)
            x = x.view(x.size(0), -1)
            return F.log_softmax(self.fc3(F.relu(self.fc2(F.relu(self.fc1(x))))), dim=1)

    net = LeNet()
    return net, lib.optim.Adam(net.parameters(), lr=2e-3), nn.NLLLoss()


def autoencoder(lib):
    """Convolutions down, transposed convolutions up, batch norm between; AdamW on two groups."""
    nn = lib.nn

    class Autoencoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.Sequential(
                nn.Conv2d(1, 6, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(6),
                nn.LeakyReLU(0.1, inplace=True),
                nn.Conv2d(6, 8, 3, stride=2, padding=1, padding_mode="reflect"),
                nn.BatchNorm2d(8, momentum=None),
                nn.SiLU(),
            )
            self.code = nn.ModuleDict({"in": nn.Linear(8 * 16, 12), "out": nn.Linear(12, 8 * 16)})
            self.up = nn.Sequential(
                nn.Unflatten(1, (8, 4, 4)),
                nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1),
                nn.BatchNorm2d(6),
                nn.ReLU(),
                nn.ConvTranspose2d(6, 1, 3, stride=2, padding=1, output_padding=1),
                nn.Sigmoid(),
            )

        def forward(self, x):
            code = self.code["in"](self.down(x).flatten(1))
            return self.up(self.code["out"](code).relu())

    net = Autoencoder()
    groups = [
        {"params": net.down.parameters(), "lr": 3e-3},
        {"params": [*net.code.parameters(), *net.up.parameters()]},
    ]
    return net, lib.optim.AdamW(groups, lr=1e-3, weight_decay=0.05), nn.BCELoss()


def batches(name):
    """Inputs and targets of every step."""
    random = np.random.default_rng(0)
    for _ in range(STEPS):
        if name == "mlp":
            yield random.normal(size=(16, 10)), random.integers(4, size=16)
        elif name == "lenet":
            yield random.normal(size=(8, 1, 16, 16)), random.integers(10, size=8)
        else:
            images = random.uniform(size=(6, 1, 16, 16))
            yield images, images


def train(lib, name, state=None):
    """Losses, gradient norms, predictions in evaluation mode, and the final state."""
    lib.manual_seed(1)
    net, optimizer, criterion = globals()[name](lib)
    net.double()
    if state is None:
        state = {key: value.numpy().copy() for key, value in net.state_dict().items()}
    net.load_state_dict({key: lib.from_numpy(value.copy()) for key, value in state.items()})
    schedule = lib.optim.lr_scheduler.StepLR(optimizer, 4, gamma=0.5)
    losses, norms = [], []
    for inputs, targets in batches(name):
        inputs, targets = lib.from_numpy(inputs), lib.from_numpy(targets)
        optimizer.zero_grad()
        loss = criterion(net(inputs), targets)
        loss.backward()
        norms.append(lib.nn.utils.clip_grad_norm_(net.parameters(), 1.0).item())
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    net.eval()
    with lib.no_grad():
        predicted = net(inputs).numpy()
    return (
        state,
        losses,
        norms,
        predicted,
        {key: value.numpy() for key, value in net.state_dict().items()},
    )


@pytest.mark.parametrize("name", ["mlp", "lenet", "autoencoder"])
def test_training(name):
    start, losses, norms, predicted, final = train(torch, name)
    _, our_losses, our_norms, our_predicted, our_final = train(thw, name, start)
    np.testing.assert_allclose(our_losses, losses, rtol=0, atol=1e-8)
    np.testing.assert_allclose(our_norms, norms, rtol=0, atol=1e-7)
    np.testing.assert_allclose(our_predicted, predicted, rtol=0, atol=1e-7)
    assert list(our_final) == list(final)
    for key, value in final.items():
        np.testing.assert_allclose(our_final[key], value, rtol=0, atol=1e-7, err_msg=key)
        assert np.abs(value - start[key]).max() > 1e-6 or key.endswith("num_batches_tracked"), (
            "nothing was trained"
        )
    assert all(np.isfinite(losses))
