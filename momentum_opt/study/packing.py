"""Arrays with the candidates as their last axis, packed into one: one transfer to the devices or back, not dozens."""

from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class Layout:
    """What is packed, in order; hashable.

    Attributes:
        structure: of the tree.
        shapes: of its arrays, without the candidates.
    """

    structure: Any
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, tree: Any) -> "Layout":
        """That of a tree of arrays, or of their shapes."""
        leaves, structure = jax.tree.flatten(tree)
        return cls(structure, tuple(leaf.shape[:-1] for leaf in leaves))

    def unpack(self, packed: Any) -> Any:
        """The tree again, from the array (row, candidate) that `pack` made; views where it is numpy's."""
        leaves: list[Any] = []
        first = 0
        for shape in self.shapes:
            end = first + prod(shape)
            leaves.append(packed[first:end].reshape(*shape, packed.shape[-1]))
            first = end
        return jax.tree.unflatten(self.structure, leaves)


def pack(tree: Any) -> Any:
    """All arrays of a tree as one (row, candidate), their rows below each other; on the host where they are numpy's."""
    leaves = jax.tree.leaves(tree)
    join = np.concatenate if all(isinstance(leaf, np.ndarray) for leaf in leaves) else jnp.concatenate
    return join([leaf.reshape(-1, leaf.shape[-1]) for leaf in leaves])
