"""Layers for a GPU, where most of a small network's step is not arithmetic. Imported file by file.

    tiles        how a map is shared out among a GPU's programs
    norm         batch norm and activation in one; `norm_kernels`, in Triton
    depthwise    depthwise convolutions that need no preparation; `depthwise_kernels`, in Triton
    pool         average pooling with a quick gradient
    form         a network computed by these

Triton comes with torch where torch has CUDA. Where it does not work, torch's own layers compute.
"""
