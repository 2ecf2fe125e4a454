"""Brief training of candidates, on a CPU or a GPU. Imported file by file.

    recipe       how to train, as data; `recipe_file` reads one
    device       which one trains, and what it has
    images       one part of the data as tensors on the device
    allocation   memory that the CPU keeps between steps
    augmentation what a batch goes through on its way into the network
    trainer      what a trainer is asked and what it answers
    form         in which form a device computes a network quickest
    gpu/         a GPU's own layers, and a network computed by them
    steps        one step of the optimiser, without a word to the host
    run          a network's training, epoch by epoch, which can be laid down and taken up
    checkpoint   where it is laid down
    surroundings a GPU's stream or a CPU's threads, in which it works
    trying       what a few steps tell of whole trainings
    memory       how much of a device's memory one takes
    torch_trainer puts these together for a device

The standard library, numpy and torch suffice, so that training runs on a bare GPU machine.
"""
