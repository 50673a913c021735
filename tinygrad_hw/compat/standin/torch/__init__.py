"""What ``import torch`` finds while ``python -m tinygrad_hw run`` runs a script: the engine itself."""

if __name__ == "torch":  # not when it is read as a part of tinygrad_hw, by doctest for instance
    from tinygrad_hw.compat.alias import install

    install()
