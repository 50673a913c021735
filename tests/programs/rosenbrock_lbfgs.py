"""Three optimisers on Rosenbrock's valley: L-BFGS with a line search, Adam, and Newton's own steps."""

import json

import torch


def rosenbrock(point):
    """The minimum is 0 at (1, 1), at the end of a bent valley."""
    x, y = point
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def with_lbfgs(point, losses):
    optimizer = torch.optim.LBFGS([point], lr=1.0, max_iter=5, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = rosenbrock(point)
        loss.backward()
        return loss

    for step in range(8):
        losses.append(optimizer.step(closure).item())


def with_adam(point, losses):
    optimizer = torch.optim.Adam([point], lr=0.1)
    for step in range(40):
        optimizer.zero_grad()
        loss = rosenbrock(point)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())


def with_newton(point, losses):
    for step in range(5):
        loss = rosenbrock(point)
        (gradient,) = torch.autograd.grad(loss, point)
        hessian = torch.autograd.functional.hessian(rosenbrock, point.detach())
        (a, b), (_, d) = hessian.tolist()
        inverse = torch.tensor([[d, -b], [-b, a]], dtype=point.dtype) / (a * d - b * b)
        with torch.no_grad():
            point -= inverse @ gradient
        losses.append(loss.item())


losses = []
for minimise in (with_lbfgs, with_adam, with_newton):
    point = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    minimise(point, losses)
    print(f"{minimise.__name__[5:]:6} ends at ({point[0].item():.5f}, {point[1].item():.5f})")

print(json.dumps([loss if loss > 1e-12 else 0.0 for loss in losses]))
