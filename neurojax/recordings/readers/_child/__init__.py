"""What runs in the reader's child process: h5py and pyarrow, on files that nobody has checked.

The C libraries below h5py and pyarrow crash or spin on some damaged files. Here that costs a
process of its own (see `neurojax.recordings.readers._apart`). These modules import numpy, h5py
and pyarrow, and one another by relative imports: never the rest of the package, so that the
process starts in a fraction of a second.
"""
