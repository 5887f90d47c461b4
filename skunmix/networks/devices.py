"""Devices of tensors."""

import numpy as np
import torch


def as_tensor(array, device="cpu"):
    """Return a float32 tensor on the device."""
    return torch.from_numpy(np.asarray(array, dtype=np.float32)).to(device)


def check_device(device):
    """Return the torch device with this name.

    Raises
    ------
    ValueError
        If this machine does not have the device.
    """
    try:
        device = torch.device(device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={str(device)!r} cannot be used here, expected 'cpu' or a device that torch "
            f"finds, such as 'cuda'; install torch for that device, or pass 'cpu'."
        ) from error
    return device
