"""How many threads the matrix routines of the host use."""

from contextlib import AbstractContextManager


def one_blas_thread() -> AbstractContextManager:
    """One thread for the factorisations of small matrices: more only wait for each other.

    On a CPU JAX factorises in the BLAS of scipy, whose threads spin where cores are shared.
    """
    import scipy.linalg  # noqa: F401  # loads it, so that it can be told
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="blas")
