"""What every rank does in `test_distributed`: each check by itself, and a report of what went wrong.

Started by ``mpirun -n N python -m tests.distributed.battery FILE``; rank 0 writes the report, JSON.
"""

from __future__ import annotations

import json
import sys
import traceback

import numpy as np

import tinygrad_hw as torch
from tinygrad_hw import distributed as dist
from tinygrad_hw import nn
from tinygrad_hw.nn.parallel import DistributedDataParallel
from tinygrad_hw.utils.data import DistributedSampler

CHECKS = {}


def check(function):
    CHECKS[function.__name__] = function
    return function


def same_everywhere(array) -> bool:
    """Whether all ranks hold the same bits."""
    found = [None] * dist.get_world_size()
    dist.all_gather_object(found, np.asarray(array).tobytes())
    return all(one == found[0] for one in found)


# ------------------------------------------------------------------ collectives


@check
def sums_and_other_reductions(rank, size):
    for op, expected in ((dist.ReduceOp.SUM, sum(range(size))), (dist.ReduceOp.AVG, (size - 1) / 2),
                         (dist.ReduceOp.MAX, size - 1), (dist.ReduceOp.MIN, 0), (dist.ReduceOp.PRODUCT, 0)):
        x = torch.full((3, 2), float(rank))
        dist.all_reduce(x, op)
        assert (x == expected).all(), (op, x)
    y = torch.tensor([rank, 1])
    dist.reduce(y, dst=size - 1)
    assert y.tolist() == ([sum(range(size)), size] if rank == size - 1 else [rank, 1])


@check
def memory_that_is_not_contiguous(rank, size):
    x = torch.arange(6.0).reshape(2, 3)
    dist.all_reduce(x.t())
    assert torch.equal(x, size * torch.arange(6.0).reshape(2, 3))


@check
def what_waits_for_an_input_is_computed_first(rank, size):
    x, w = torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3)
    result = nn.functional.conv2d(x, w)
    dist.all_reduce(x)
    assert (result == 9).all()


@check
def broadcast_gather_scatter_send(rank, size):
    x = torch.full((2,), float(rank))
    dist.broadcast(x, src=1)
    assert x.tolist() == [1, 1]
    parts = [torch.zeros(2, dtype=torch.int64) for _ in range(size)]
    dist.all_gather(parts, torch.tensor([rank, rank + 10]))
    assert [part.tolist() for part in parts] == [[i, i + 10] for i in range(size)]
    joined = torch.zeros(2 * size)
    dist.all_gather_into_tensor(joined, torch.full((2,), float(rank)))
    assert joined.tolist() == [float(i // 2) for i in range(2 * size)]
    dist.gather(torch.tensor([rank, 0]), parts if rank == 0 else None)
    mine = torch.zeros(2, dtype=torch.int64)
    dist.scatter(mine, [2 * part for part in parts] if rank == 0 else None)
    assert mine.tolist() == [2 * rank, 0]
    if rank == 0:
        dist.send(torch.tensor([7.0]), 1)
    elif rank == 1:
        received = torch.zeros(1)
        dist.recv(received, 0)
        assert received.item() == 7
    objects = [{"epoch": rank}]
    dist.broadcast_object_list(objects, src=1)
    assert objects == [{"epoch": 1}]


@check
def without_waiting(rank, size):
    x = torch.ones(1000)
    work = dist.all_reduce(x, async_op=True)
    assert work.wait() and work.is_completed() and (x == size).all()


@check
def a_group_of_some(rank, size):
    pair = dist.new_group([0, 1])
    if rank < 2:
        x = torch.ones(1)
        dist.all_reduce(x, group=pair)
        assert x.item() == 2 and pair.size() == 2 and dist.get_rank(pair) == rank
    else:
        assert pair.rank() == -1
        try:
            dist.barrier(pair)
        except ValueError as error:
            assert "not a member" in str(error)
        else:
            raise AssertionError("a process that is no member took part")


@check
def wrong_arguments_are_refused_before_anything_is_sent(rank, size):
    for call, kind, text in (
            (lambda: dist.broadcast(torch.ones(1), src=size), ValueError, f"src={size} is no rank"),
            (lambda: dist.all_reduce([1.0]), TypeError, "takes a Tensor, not list"),
            (lambda: dist.all_reduce(torch.ones(1), "sum"), TypeError, "ReduceOp.SUM"),
            (lambda: dist.all_reduce(torch.tensor([1]), dist.ReduceOp.AVG), RuntimeError, "int64"),
            (lambda: dist.all_gather([torch.ones(1)], torch.ones(1)), ValueError, f"a rank ({size}), got 1"),
            (lambda: dist.all_gather([torch.ones(2)] * size, torch.ones(1)), ValueError, "must be equal"),
            (lambda: dist.init_process_group(), ValueError, "twice")):
        try:
            call()
        except kind as error:
            assert text in str(error), error
        else:
            raise AssertionError(f"not refused: {text}")


# ------------------------------------------------------------------ training


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.SyncBatchNorm(4), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(4 * 9, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def batch(step, rows):
    random = np.random.default_rng(step)
    return (torch.from_numpy(random.standard_normal((rows, 2, 6, 6))),
            torch.from_numpy(random.integers(3, size=rows)))


def train(net, rank, size, steps=4, rows=8):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for step in range(steps):
        images, labels = batch(step, rows)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images[rank::size]), labels[rank::size])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def alone(steps=4):
    """The same training by one process with the whole batch."""
    net = network()
    for name, layer in enumerate(net):
        if isinstance(layer, nn.SyncBatchNorm):
            net[name] = plain = nn.BatchNorm2d(4).double()
            plain.load_state_dict(layer.state_dict())
    train(net, 0, 1, steps)
    return net.state_dict()


@check
def the_same_steps_as_one_process_with_the_whole_batch(rank, size):
    net = DistributedDataParallel(network(seed=rank))
    net.module.load_state_dict(network().state_dict())
    train(net, rank, size)
    for name, expected in alone().items():
        mine = net.module.state_dict()[name]
        np.testing.assert_allclose(mine.numpy(), expected.numpy(), rtol=1e-12, atol=1e-13, err_msg=name)
        assert same_everywhere(mine.numpy()), name


@check
def all_ranks_start_from_rank_0(rank, size):
    net = DistributedDataParallel(network(seed=rank))
    expected = network(seed=0).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in net.module.state_dict().items())
    assert set(net.state_dict()) == {f"module.{name}" for name in expected}


@check
def the_same_bits_in_a_second_run(rank, size):
    results = []
    for _ in range(2):
        net = DistributedDataParallel(network().float(), bucket_cap_mb=0.0005)
        optimizer = torch.optim.Adam(net.parameters())
        for step in range(3):
            images, labels = batch(step, 8)
            optimizer.zero_grad()
            output = net(images.float()[rank::size])
            nn.functional.cross_entropy(output, labels[rank::size]).backward()
            optimizer.step()
        results.append(np.concatenate([p.detach().numpy().ravel() for p in net.parameters()]))
    assert len(net._reducer.buckets) > 2
    assert np.array_equal(*results) and same_everywhere(results[0])


@check
def sums_start_before_the_backward_pass_ends(rank, size):
    net = DistributedDataParallel(network(), bucket_cap_mb=0.0005)
    started = []
    net.module[0].weight.register_hook(
        lambda g: started.append(sum(bucket.work is not None for bucket in net._reducer.buckets)))
    images, labels = batch(0, 8)
    nn.functional.cross_entropy(net(images[rank::size]), labels[rank::size]).backward()
    assert started[0] >= 2, started


@check
def gradients_are_added_up_under_no_sync(rank, size):
    net, reference = DistributedDataParallel(network()), network()
    for step in range(3):
        images, labels = batch(step, 8)
        synced = step == 2
        with torch.enable_grad() if synced else net.no_sync():
            nn.functional.cross_entropy(net.module(images[rank::size]), labels[rank::size]).backward()
        if not synced:
            own = net.module[-1].bias.grad.numpy()
            assert not same_everywhere(own)
    total = [np.zeros(p.shape) for p in reference.parameters()]
    for step in range(3):
        images, labels = batch(step, 8)
        net2 = network()
        nn.functional.cross_entropy(net2(images[rank::size]), labels[rank::size]).backward()
        for sum_, p in zip(total, net2.parameters()):
            sum_ += p.grad.numpy()
    for sum_, p in zip(total, net.parameters()):
        x = torch.from_numpy(sum_)
        dist.all_reduce(x, dist.ReduceOp.AVG)
        np.testing.assert_allclose(p.grad.numpy(), x.numpy(), rtol=1e-12, atol=1e-14)


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleList([nn.Linear(2, 1, bias=False) for _ in range(3)])

    def forward(self, x, which):
        return self.branches[which](x)


@check
def layers_that_a_rank_leaves_out(rank, size):
    net = DistributedDataParallel(Branches())
    net(torch.ones(1, 2), 0 if rank == 0 else 1).sum().backward()
    found = [branch.weight.grad for branch in net.module.branches]
    assert found[2] is None
    assert torch.equal(found[0], torch.full((1, 2), 1 / size))
    assert torch.allclose(found[1], torch.full((1, 2), (size - 1) / size))


@check
def networks_that_differ_are_refused(rank, size):
    try:
        DistributedDataParallel(nn.Linear(3 if rank == 0 else 2, 1))
    except RuntimeError as error:
        assert "weight of shape" in str(error) and "same network" in str(error)
    else:
        raise AssertionError("not refused")


@check
def a_failed_pass_does_not_spoil_the_next(rank, size):
    net = DistributedDataParallel(Branches())
    handle = net.module.branches[1].weight.register_hook(lambda g: 1 / 0)
    try:
        (net(torch.ones(1, 2), 0) + net(torch.ones(1, 2), 1)).sum().backward()
    except ZeroDivisionError:
        pass
    handle.remove()
    net.zero_grad()
    net(torch.ones(1, 2), 0).sum().backward()
    assert torch.equal(net.module.branches[0].weight.grad, torch.ones(1, 2))


@check
def batch_norm_over_all_rows(rank, size):
    random = np.random.default_rng(5)
    whole = torch.from_numpy(random.standard_normal((4 * size, 3, 2, 2))).requires_grad_()
    cotangent = torch.from_numpy(random.standard_normal((4 * size, 3, 2, 2)))
    plain = nn.BatchNorm2d(3, momentum=None).double()
    synced = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.BatchNorm2d(3, momentum=None).double()))
    expected = plain(whole)
    (wanted,) = torch.autograd.grad(expected, whole, cotangent)
    mine = whole.detach()[rank::size].clone().requires_grad_()
    output = synced(mine)
    (found,) = torch.autograd.grad(output, mine, cotangent[rank::size])
    for one, other in ((output, expected[rank::size]), (found, wanted[rank::size]),
                       (synced[0].running_var, plain.running_var),
                       (synced[0].running_mean, plain.running_mean)):
        np.testing.assert_allclose(one.detach().numpy(), other.detach().numpy(), rtol=1e-10, atol=1e-12)
    synced.eval()
    plain.eval()
    assert torch.allclose(synced(mine), plain(mine))


@check
def every_sample_belongs_to_one_rank(rank, size):
    sampler = DistributedSampler(range(12), seed=3)
    passes = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        found = [None] * size
        dist.all_gather_object(found, list(sampler))
        assert sorted(sum(found, [])) == list(range(12))
        passes.append(found)
    assert passes[0] != passes[1]


@check
def a_rank_that_does_something_else_is_told_so(rank, size):
    impatient = dist.new_group(timeout=0.2)
    if rank == 0:
        try:
            dist.all_reduce(torch.ones(1), group=impatient)
        except RuntimeError as error:
            assert "has waited 0.2 s in allreduce" in str(error), error
        else:
            raise AssertionError("the others did not take part")
    dist.barrier()
    if rank != 0:
        dist.all_reduce(torch.ones(1), group=impatient)  # ends what rank 0 began


def main(path: str) -> None:
    dist.init_process_group()
    rank, size = dist.get_rank(), dist.get_world_size()
    report = {}
    for name, function in CHECKS.items():
        found = [None] * size
        try:
            function(rank, size)
            mine = ""
        except Exception:  # whatever goes wrong is reported; the other ranks must not wait for ever
            mine = f"rank {rank}: {traceback.format_exc()}"
        dist.all_gather_object(found, mine)
        report[name] = "".join(found)
    if rank == 0:
        with open(path, "w") as file:
            json.dump(report, file)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
