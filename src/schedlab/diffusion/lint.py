"""Settings that spoil samples without any error message."""

from typing import Any

from torch import Tensor


def lint(scheduler: Any, data: Tensor) -> list[str]:
    """Return warnings about a scheduler's options for the data it should sample.

    Parameters
    ----------
    scheduler
        Object with a ``config``, as diffusers' schedulers have.
    data
        Some real data, in the range that the network is trained on.
    """
    config = scheduler.config
    reach = float(data.abs().max())
    limit = float(config.get("clip_sample_range") or 1.0)
    found = []
    if config.get("clip_sample") and reach > limit:
        outside = float((data.abs() > limit).double().mean())
        found.append(
            f"clip_sample cuts predicted data at ±{limit:g}, but {outside:.0%} of the values lie "
            f"beyond, up to {reach:.3g}; set clip_sample=False"
        )
    if config.get("thresholding") and reach > 1 and data.ndim < 4:
        found.append("thresholding is made for pixels within ±1; set thresholding=False")
    if config.get("timestep_spacing") == "linspace" and config.get("variant") == "reference":
        found.append(
            "linspace with DDIM steps to t - T // N, which is not the next timestep; "
            "set variant='corrected'"
        )
    if config.get("rescale_betas_zero_snr") and config.get("prediction_type") == "epsilon":
        found.append("rescale_betas_zero_snr needs prediction_type='v_prediction' or 'sample'")
    return found
