"""Several processes that train one network: each holds a part of every weight and takes its share of a step's micro-batches.

Started by `torchrun`, on PyTorch's own FSDP2 and DTensor, over gloo on CPUs and nccl on GPUs. In a process that is alone,
everything here does nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from phiforge.model.phi3 import Phi3

T = TypeVar("T")

PATIENCE = timedelta(
    days=7
)  # while the first process makes data, the others wait; of one that dies, torchrun ends all


@contextmanager
def joined() -> Iterator[None]:
    """Join the processes that `torchrun` has started, if it has; each takes a GPU of its own where there are any."""
    if "TORCHELASTIC_RUN_ID" not in os.environ or dist.is_initialized():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def leave(code: int) -> int:
    """Of a process that `torchrun` has started, its end; of others, the code.

    PyTorch's caches keep gloo's threads beyond the group. One that lets go of its last tensor while the interpreter ends is
    killed within a destructor, and the process aborts though all is done: so the interpreter is not ended.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def gathered(value: T) -> list[T]:
    """What each process has, in their order. All wait for each other."""
    if size() == 1:
        return [value]
    found: list[Any] = [None] * size()
    dist.all_gather_object(found, value)
    return found


def by_first(make: Callable[[], T]) -> T:
    """What the first process makes, to all, as pickle copies it. The others wait, and make nothing."""
    if size() == 1:
        return make()
    found: list[Any] = [make() if rank() == 0 else None]
    dist.broadcast_object_list(found, 0)
    return found[0]


def share(batches: Sequence[T]) -> list[tuple[T, bool]]:
    """This process' micro-batches of a step, and whether each counts: all processes must take as many, as each one's pass
    needs the others' weights, so one that would have fewer takes another's for show."""
    each = -(-len(batches) // size())
    mine = [(batch, True) for batch in batches[rank() :: size()]]
    return mine + [(batch, False) for batch in batches[: each - len(mine)]]


def shard(network: Phi3, dtype: torch.dtype, device: torch.device) -> None:
    """Leave each process its part of the network's weights, in place. A layer's come together when it is computed, in `dtype`;
    gradients are summed over the processes in fp32."""
    how: dict[str, Any] = {
        "mesh": init_device_mesh(device.type, (size(),)),
        "mp_policy": MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32),
    }
    for layer in network.layers:
        fully_shard(layer, **how)
    # The loss takes the head from the network after its pass, so what is outside the layers stays whole until the backward.
    fully_shard(network, reshard_after_forward=False, **how)
    register_fsdp_forward_method(cast(nn.Module, network), "hidden")
    for module in network.modules():
        if isinstance(module, FSDPModule):  # a sum: the loop divides by the count of all processes
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor of which each process has a part. All must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def own(tensor: Tensor) -> Tensor:
    """This process' part of a tensor, itself."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def part_of(full: Tensor, like: Tensor) -> Tensor:
    """This process' part of a whole tensor that all have, divided as `like` is."""
    if not isinstance(like, DTensor):
        return full
    return distribute_tensor(full, like.device_mesh, like.placements, src_data_rank=None)


def broadcast(tensor: Tensor, source: int) -> Tensor:
    """A process' tensor to all, in place."""
    if size() > 1:
        dist.broadcast(tensor, source)
    return tensor
