"""Sorting of edges by counting: linear in their number, since the keys are small integers."""

import numpy as np


def lexicographic(pre: np.ndarray, post: np.ndarray, n_pre: int, n_post: int) -> np.ndarray | None:
    """The stable permutation that sorts by (pre, post); None where they are sorted already."""
    rising = pre[1:] > pre[:-1]
    rising |= (pre[1:] == pre[:-1]) & (post[1:] >= post[:-1])
    if rising.all():
        return None
    by_post = counting_argsort(post, n_post)
    return by_post[counting_argsort(pre[by_post], n_pre)]


def transpose(indptr: np.ndarray, indices: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(index, row) of ragged rows of indices < n, by index, then row, both int32.

    What is in a row more than once stays so.
    """
    from scipy.sparse import csr_array

    rows = len(indptr) - 1
    matrix = csr_array((np.zeros(len(indices), np.int8), indices, indptr), shape=(rows, n))
    turned = matrix.tocsc()
    index = np.repeat(np.arange(n, dtype=np.int32), np.diff(turned.indptr))
    return index, turned.indices.astype(np.int32, copy=False)


def counting_argsort(key: np.ndarray, n: int) -> np.ndarray:
    """A stable argsort of integers from 0 to n - 1: one row of a sparse matrix, transposed."""
    from scipy.sparse import csr_array

    m = len(key)
    place = np.arange(m, dtype=np.int32 if m < 2**31 else np.int64)
    return csr_array((place, key, np.array([0, m])), shape=(1, n)).tocsc().data
