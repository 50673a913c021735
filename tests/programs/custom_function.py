"""Two autograd Functions of one's own: one checked by differences, one that cheats on purpose."""

import json

import numpy as np
import torch
from torch.autograd import Function, gradcheck


class LinearFunction(Function):
    """input @ weight.T + bias, with None for the gradients that nobody needs."""

    @staticmethod
    def forward(ctx, input, weight, bias=None):
        ctx.save_for_backward(input, weight, bias)
        output = input.mm(weight.t())
        if bias is not None:
            output += bias.unsqueeze(0).expand_as(output)
        return output

    @staticmethod
    def backward(ctx, grad_output):
        input, weight, bias = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(input)
        if bias is not None and ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias


class StraightThroughSign(Function):
    """The sign, whose gradient passes through wherever |input| <= 1."""

    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return torch.sign(input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output.masked_fill(input.abs() > 1, 0.0)


rng = np.random.default_rng(0)


def parameter(*shape):
    return torch.tensor(rng.normal(0, 0.5, shape), requires_grad=True)


checked = (parameter(4, 3), parameter(2, 3), parameter(2))
print("gradcheck:", gradcheck(LinearFunction.apply, checked, eps=1e-6, atol=1e-4))

# a network with binary hidden units learns the parity of two signs
inputs = torch.tensor(rng.choice([-1.0, 1.0], (64, 2)))
targets = inputs.prod(dim=1, keepdim=True)
w1, b1, w2, b2 = parameter(16, 2), parameter(16), parameter(1, 16), parameter(1)

losses = []
for step in range(30):
    hidden = StraightThroughSign.apply(LinearFunction.apply(inputs, w1, b1))
    loss = (LinearFunction.apply(hidden, w2, b2) - targets).pow(2).mean()
    grads = torch.autograd.grad(loss, (w1, b1, w2, b2))
    with torch.no_grad():
        for p, g in zip((w1, b1, w2, b2), grads):
            p.sub_(g, alpha=0.05)
    losses.append(loss.item())

print(json.dumps(losses))
