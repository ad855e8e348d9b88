"""Recordings of neural activity: what was measured, how it is read, prepared and kept."""

from neurojax.recordings.errors import RecordingError as RecordingError
from neurojax.recordings.recording import Recording as Recording
from neurojax.recordings.recording import Recordings as Recordings
from neurojax.recordings.recording import Series as Series
