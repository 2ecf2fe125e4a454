"""Triton kernels of depthwise convolutions, for maps in channels-last memory."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _pixel(at, height, width):
    """Image, row and column of pixels counted through all images."""
    return at // (height * width), at // width % height, at % width


@triton.jit(do_not_specialize=["pixels", "height", "width", "from_height", "from_width", "eighths"])
def convolved(
    source,
    target,
    weight,
    pixels,
    height,
    width,
    from_height,
    from_width,
    eighths,
    KERNEL: tl.constexpr,
    STRIDE: tl.constexpr,
    BACKWARD: tl.constexpr,
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Forwards a map from its input, backwards the input's gradient from the map's.

    Sizes are the target's, and those of the map that it comes `from`; weights are (taps, channels).
    """
    channels = eighths * 8
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    there = channel < channels
    at = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    image, row, column = _pixel(at, height, width)
    total = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for line in range(KERNEL):  # not unrolled: large kernels would run out of registers
        down = line - KERNEL // 2
        if BACKWARD:
            from_row = (row - down) // STRIDE
            on_map = (row >= down) & (from_row * STRIDE + down == row)
        else:
            from_row = row * STRIDE + down
            on_map = from_row >= 0
        on_map = on_map & (from_row < from_height) & (at < pixels)
        first = (image * from_height + from_row).to(tl.int64) * from_width
        for tap in tl.static_range(KERNEL):
            right = tap - KERNEL // 2
            if BACKWARD:
                from_column = (column - right) // STRIDE
                inside = on_map & (column >= right) & (from_column * STRIDE + right == column)
            else:
                from_column = column * STRIDE + right
                inside = on_map & (from_column >= 0)
            inside = inside & (from_column < from_width)
            where = (first + from_column)[:, None] * channels + channel[None, :]
            values = tl.load(source + where, inside[:, None] & there[None, :], 0.0)
            factor = tl.load(weight + (line * KERNEL + tap) * channels + channel, there, 0.0)
            total += values.to(tl.float32) * factor[None, :]
    where = at.to(tl.int64)[:, None] * channels + channel[None, :]
    inside = (at < pixels)[:, None] & there[None, :]
    tl.store(target + where, total.to(target.dtype.element_ty), inside)


@triton.jit(
    do_not_specialize=[
        "pixels",
        "pixels_each",
        "height",
        "width",
        "from_height",
        "from_width",
        "eighths",
    ]
)
def weight_gradient(
    x,
    dy,
    partial,
    pixels,
    pixels_each,
    height,
    width,
    from_height,
    from_width,
    eighths,
    KERNEL: tl.constexpr,
    STRIDE: tl.constexpr,
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """The gradient of one row of every kernel, from a part of the pixels."""
    channels = eighths * 8
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    there = channel < channels
    line = tl.program_id(2)
    begin = tl.program_id(0) * pixels_each
    end = tl.minimum(begin + pixels_each, pixels)
    sums = (tl.zeros((PIXELS, CHANNELS), tl.float32),) * KERNEL
    for start in range(begin, end, PIXELS):
        at = start + tl.arange(0, PIXELS)
        image, row, column = _pixel(at, height, width)
        from_row = row * STRIDE + line - KERNEL // 2
        on_map = (at < end) & (from_row >= 0) & (from_row < from_height)
        where = at.to(tl.int64)[:, None] * channels + channel[None, :]
        gradient = tl.load(dy + where, on_map[:, None] & there[None, :], 0.0).to(tl.float32)
        first = (image * from_height + from_row).to(tl.int64) * from_width
        more = ()
        for tap in tl.static_range(KERNEL):
            from_column = column * STRIDE + tap - KERNEL // 2
            inside = on_map & (from_column >= 0) & (from_column < from_width)
            where = (first + from_column)[:, None] * channels + channel[None, :]
            values = tl.load(x + where, inside[:, None] & there[None, :], 0.0)
            more = more + (sums[tap] + gradient * values.to(tl.float32),)
        sums = more
    own = (tl.program_id(0) * KERNEL + line) * KERNEL
    for tap in tl.static_range(KERNEL):
        tl.store(partial + (own + tap) * channels + channel, tl.sum(sums[tap], 0), there)
