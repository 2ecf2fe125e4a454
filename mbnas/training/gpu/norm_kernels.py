"""Triton kernels of batch norm and activation in one, for maps in channels-last memory.

A map is a matrix (rows, channels), a row for each pixel of each image. Forwards it is read twice
and written once, backwards read twice beside its gradient: what batch norm and activation one after
the other move is nearly twice that. Sums are of parts that each program takes for itself and that
the last one to arrive adds up in their order, so that a result is the same every time.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _activated(z, ACTIVATION: tl.constexpr):
    if ACTIVATION == "relu":
        z = tl.maximum(z, 0.0, propagate_nan=tl.PropagateNan.ALL)
    elif ACTIVATION == "relu6":
        z = tl.minimum(
            tl.maximum(z, 0.0, propagate_nan=tl.PropagateNan.ALL),
            6.0,
            propagate_nan=tl.PropagateNan.ALL,
        )
    elif ACTIVATION == "hardswish":
        z = z * tl.minimum(tl.maximum(z + 3.0, 0.0), 6.0) / 6.0
    elif ACTIVATION == "silu":
        z = z * tl.sigmoid(z)
    return z


@triton.jit
def _slope(z, ACTIVATION: tl.constexpr):
    slope = tl.full(z.shape, 1.0, tl.float32)
    if ACTIVATION == "relu":
        slope = tl.where(z > 0.0, 1.0, 0.0)
    elif ACTIVATION == "relu6":
        slope = tl.where((z > 0.0) & (z < 6.0), 1.0, 0.0)
    elif ACTIVATION == "hardswish":
        slope = tl.where(z < -3.0, 0.0, tl.where(z <= 3.0, z / 3.0 + 0.5, 1.0))
    elif ACTIVATION == "silu":
        share = tl.sigmoid(z)
        slope = share * (1.0 + z * (1.0 - share))
    return slope


@triton.jit
def _share(rows, rows_each, width, CHANNELS: tl.constexpr):
    """The rows and channels of this program, and which of the channels are there."""
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    begin = tl.program_id(0) * rows_each
    return begin, tl.minimum(begin + rows_each, rows), channel, channel < width


@triton.jit
def _of_channels(mean, deviation, weight, bias, channel, there):
    """What is known of each channel."""
    return (
        tl.load(mean + channel, there, 0.0),
        tl.load(deviation + channel, there, 0.0),
        tl.load(weight + channel, there, 0.0),
        tl.load(bias + channel, there, 0.0),
    )


@triton.jit
def _tile(start, end, channel, width, ROWS: tl.constexpr):
    """Where a tile lies in the matrix, and which of it is there."""
    row = start + tl.arange(0, ROWS)
    at = row.to(tl.int64)[:, None] * width + channel[None, :]
    return at, (row < end)[:, None] & (channel < width)[None, :]


@triton.jit
def _added_up(first, second, partial, arrived, channel, width, PARTS: tl.constexpr):
    """Lays two sums of this part down; the last part to arrive gets those of all, and is told."""
    part, parts = tl.program_id(0), tl.num_programs(0)
    there = channel < width
    tl.store(partial + 2 * part * width + channel, first, mask=there)
    tl.store(partial + (2 * part + 1) * width + channel, second, mask=there)
    tl.debug_barrier()  # all threads have written before one of them says so
    last = tl.atomic_add(arrived + tl.program_id(1), 1, sem="acq_rel") == parts - 1
    if last:
        tl.store(arrived + tl.program_id(1), 0)  # for the next time
        first = tl.zeros(first.shape, tl.float32)
        second = tl.zeros(second.shape, tl.float32)
        for start in range(0, parts, PARTS):
            row = start + tl.arange(0, PARTS)
            at = 2 * row[:, None] * width + channel[None, :]
            inside = (row < parts)[:, None] & there[None, :]
            # Past the first cache, which may hold what was there before.
            first += tl.sum(tl.load(partial + at, inside, 0.0, cache_modifier=".cg"), 0)
            second += tl.sum(tl.load(partial + at + width, inside, 0.0, cache_modifier=".cg"), 0)
    return first, second, last


@triton.jit(do_not_specialize=["rows", "rows_each", "eighths"])
def statistics(
    x,
    partial,
    arrived,
    mean,
    deviation,
    running_mean,
    running_variance,
    rows,
    rows_each,
    eighths,
    momentum,
    eps,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
    PARTS: tl.constexpr,
):
    """Mean and 1 / standard deviation of each channel, and their running averages."""
    width = eighths * 8
    begin, end, channel, there = _share(rows, rows_each, width, CHANNELS)
    # Sums of squares far from 0 lose their digits: told from the first row they are near it.
    origin = tl.load(x + channel, there, 0.0).to(tl.float32)
    total = tl.zeros((ROWS, CHANNELS), tl.float32)
    squares = tl.zeros((ROWS, CHANNELS), tl.float32)
    for start in range(begin, end, ROWS):
        at, inside = _tile(start, end, channel, width, ROWS)
        apart = tl.load(x + at, inside, 0.0).to(tl.float32) - origin[None, :]
        apart = tl.where(inside, apart, 0.0)
        total += apart
        squares += apart * apart
    first, second, last = _added_up(
        tl.sum(total, 0), tl.sum(squares, 0), partial, arrived, channel, width, PARTS
    )
    if last:
        shift = first / rows
        variance = tl.maximum(second / rows - shift * shift, 0.0, propagate_nan=tl.PropagateNan.ALL)
        middle = origin + shift
        tl.store(mean + channel, middle, there)
        tl.store(deviation + channel, tl.rsqrt(variance + eps), there)
        old = tl.load(running_mean + channel, there)
        tl.store(running_mean + channel, old + momentum * (middle - old), there)
        old = tl.load(running_variance + channel, there)
        unbiased = variance * rows / tl.maximum(rows - 1, 1)
        tl.store(running_variance + channel, old + momentum * (unbiased - old), there)


@triton.jit(do_not_specialize=["rows", "rows_each", "eighths"])
def activated(
    x,
    y,
    mean,
    deviation,
    weight,
    bias,
    rows,
    rows_each,
    eighths,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
    ACTIVATION: tl.constexpr,
):
    """The map normalised, scaled and activated."""
    width = eighths * 8
    begin, end, channel, there = _share(rows, rows_each, width, CHANNELS)
    scale = tl.load(weight + channel, there, 0.0) * tl.load(deviation + channel, there, 0.0)
    shift = tl.load(bias + channel, there, 0.0) - tl.load(mean + channel, there, 0.0) * scale
    for start in range(begin, end, ROWS):
        at, inside = _tile(start, end, channel, width, ROWS)
        z = tl.load(x + at, inside, 0.0).to(tl.float32) * scale[None, :] + shift[None, :]
        tl.store(y + at, _activated(z, ACTIVATION).to(y.dtype.element_ty), inside)


@triton.jit
def _through_activation(x, dy, at, inside, mean, deviation, weight, bias, ACTIVATION: tl.constexpr):
    """The normalised map, and the gradient of what the activation was given."""
    normalised = (tl.load(x + at, inside, 0.0).to(tl.float32) - mean[None, :]) * deviation[None, :]
    z = normalised * weight[None, :] + bias[None, :]
    dz = tl.load(dy + at, inside, 0.0).to(tl.float32) * _slope(z, ACTIVATION)
    return normalised, dz


@triton.jit(do_not_specialize=["rows", "rows_each", "eighths"])
def gradient_sums(
    x,
    dy,
    partial,
    arrived,
    mean,
    deviation,
    weight,
    bias,
    dweight,
    dbias,
    rows,
    rows_each,
    eighths,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
    PARTS: tl.constexpr,
    ACTIVATION: tl.constexpr,
):
    """The gradients of weight and bias."""
    width = eighths * 8
    begin, end, channel, there = _share(rows, rows_each, width, CHANNELS)
    middle, per_deviation, scale, shift = _of_channels(
        mean, deviation, weight, bias, channel, there
    )
    first = tl.zeros((ROWS, CHANNELS), tl.float32)
    second = tl.zeros((ROWS, CHANNELS), tl.float32)
    for start in range(begin, end, ROWS):
        at, inside = _tile(start, end, channel, width, ROWS)
        normalised, dz = _through_activation(
            x, dy, at, inside, middle, per_deviation, scale, shift, ACTIVATION
        )
        first += dz * normalised
        second += dz
    to_weight, to_bias, last = _added_up(
        tl.sum(first, 0), tl.sum(second, 0), partial, arrived, channel, width, PARTS
    )
    if last:
        tl.store(dweight + channel, to_weight, there)
        tl.store(dbias + channel, to_bias, there)


@triton.jit(do_not_specialize=["rows", "rows_each", "eighths"])
def gradient(
    x,
    dy,
    dx,
    mean,
    deviation,
    weight,
    bias,
    dweight,
    dbias,
    rows,
    rows_each,
    eighths,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
    ACTIVATION: tl.constexpr,
):
    """The gradient of the map."""
    width = eighths * 8
    begin, end, channel, there = _share(rows, rows_each, width, CHANNELS)
    middle, per_deviation, scale, shift = _of_channels(
        mean, deviation, weight, bias, channel, there
    )
    along = tl.load(dweight + channel, there, 0.0) / rows
    level = tl.load(dbias + channel, there, 0.0) / rows
    for start in range(begin, end, ROWS):
        at, inside = _tile(start, end, channel, width, ROWS)
        normalised, dz = _through_activation(
            x, dy, at, inside, middle, per_deviation, scale, shift, ACTIVATION
        )
        change = dz - level[None, :] - normalised * along[None, :]
        change = change * (scale * per_deviation)[None, :]
        tl.store(dx + at, change.to(dx.dtype.element_ty), inside)
