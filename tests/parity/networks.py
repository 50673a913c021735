"""A network with a bit of everything, for the scenarios of Modules."""


def network(lib):
    """Layers in three levels, a parameter and two buffers of the network's own."""
    nn = lib.nn

    class Block(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.norm = nn.BatchNorm1d(size)
            self.linear = nn.Linear(size, size)

        def forward(self, x):
            return x + self.linear(self.norm(x))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(lib.full((2,), 0.5))
            self.first = nn.Linear(3, 2)
            self.register_buffer("kept", lib.arange(3))
            self.blocks = nn.ModuleList([Block(2), Block(2)])
            self.register_buffer("lost", lib.zeros(1), persistent=False)
            self.nothing = None
            self.last = nn.Sequential(nn.ReLU(), nn.Linear(2, 1, bias=False))
            self.register_parameter("shift", None)

        def forward(self, x):
            x = self.first(x) * self.scale
            for block in self.blocks:
                x = block(x)
            return self.last(x)

    net = Net()
    with lib.no_grad():
        for number, parameter in enumerate(net.parameters()):
            parameter.copy_(
                lib.linspace(-1, 1, parameter.numel()).reshape(parameter.shape) + 0.1 * number
            )
    return net


def names(pairs):
    return [name for name, _ in pairs]
