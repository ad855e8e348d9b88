"""Recordings as `xarray` data sets and back."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from neurojax.recordings import Recording, RecordingError, Series

if TYPE_CHECKING:
    import xarray

# Parts with a name of their own become variables "series:NAME", "spikes:NAME" and attributes
# "metadata:NAME"; the colon keeps them apart from the variables of every recording, and is
# allowed in netCDF files, where a slash is not.
_SERIES, _SPIKES, _METADATA = "series:", "spikes:", "metadata:"


def to_xarray(recording: Recording) -> "xarray.Dataset":
    """A recording as a labelled data set; `from_xarray` makes the same recording of it.

    | in the data set | dimensions | from |
    |---|---|---|
    | variables `values`, `mask` | time, neuron | the same |
    | coordinates `time` (s), `label`, `label_confidence` | time; neuron; neuron | the same |
    | variable `series:NAME` | its own time, and a component if it has several | each series |
    | variable `spikes:NAME` (s) | its own | each spike train |
    | attributes `name`, `unit`, `metadata:KEY` | | the same |

    Arguments:
        recording: any.

    Returns:
        An `xarray.Dataset`. `.to_netcdf` can write it.

    Raises:
        ImportError: xarray is not installed.

    Example:
        >>> from neurojax.interop import from_xarray, to_xarray
        >>> from neurojax.recordings import Recording
        >>> recording = Recording([0.0, 0.5], [[1.0, 2.0], [3.0, 4.0]], labels=["AVAL", "AVAR"])
        >>> data = to_xarray(recording)
        >>> float(data["values"].sel(time=0.5)[data.label == "AVAR"].item())
        4.0
        >>> from_xarray(data).trace("AVAR")
        array([2., 4.])
    """
    xr = _import_xarray()
    variables: dict[str, Any] = {
        "values": (("time", "neuron"), recording.values.copy(), {"units": recording.unit}),
        "mask": (("time", "neuron"), recording.mask.copy()),
    }
    coordinates: dict[str, Any] = {
        "time": ("time", recording.times.copy(), {"units": "s"}),
        "label": ("neuron", _texts(recording.labels)),
        "label_confidence": ("neuron", recording.label_confidence.copy()),
    }
    for name, series in recording.series.items():
        clock = f"time of {name}"
        dimensions = (clock, f"component of {name}")[: series.values.ndim]
        about = {"units": series.unit, "kind": series.kind}
        variables[_SERIES + name] = (dimensions, series.values.copy(), about)
        coordinates[clock] = (clock, series.times.copy(), {"units": "s"})
    for name, train in recording.spikes.items():
        variables[_SPIKES + name] = ((f"spike of {name}",), train.copy(), {"units": "s"})
    attributes = {"name": recording.name, "unit": recording.unit}
    attributes |= {_METADATA + k: v for k, v in recording.metadata.items()}
    return xr.Dataset(variables, coordinates, attributes)


def from_xarray(data: "xarray.Dataset | xarray.DataArray") -> Recording:
    """A recording from a data set of `to_xarray`, or from a plain array of traces.

    Arguments:
        data: an `xarray.Dataset` with the layout of `to_xarray` (only `values` and the time
            coordinate are required); or an `xarray.DataArray` with the dimension `time` (its
            coordinate in seconds) and one other, whose coordinate holds the labels if it is
            text, or else a coordinate called `label`. `NaN` is a missing sample.

    Returns:
        A recording.

    Raises:
        ImportError: xarray is not installed.
        RecordingError: a variable, a dimension or the time is missing, or the content is no
            recording.

    Example:
        >>> import xarray as xr
        >>> from neurojax.interop import from_xarray
        >>> traces = xr.DataArray(
        ...     [[1.0, 2.0]],
        ...     dims=("neuron", "time"),
        ...     coords={"neuron": ["RIS"], "time": [0.0, 1.0]},
        ... )
        >>> from_xarray(traces)
        Recording('', 2 frames x 1 neurons (1 identified), 0 to 1 s, unit '')
    """
    xr = _import_xarray()
    if isinstance(data, xr.DataArray):
        return _from_array(cast("xarray.DataArray", data))
    if not isinstance(data, xr.Dataset):
        raise RecordingError(
            f"data must be an xarray Dataset or DataArray, but is a {type(data).__name__}"
        )
    if "values" not in data:
        raise RecordingError(f"data has no variable 'values'; it has {_listed(data.data_vars)}")
    values, neuron = _oriented(data["values"])
    series, spikes = {}, {}
    for key in map(str, data.data_vars):
        variable = data[key]
        if key.startswith(_SERIES):
            clock = str(variable.dims[0]) if variable.dims else ""
            if clock not in data.coords:
                raise RecordingError(f"variable {key!r} has no coordinate of times")
            series[key.removeprefix(_SERIES)] = Series(
                data[clock].values,
                variable.values,
                unit=str(variable.attrs.get("units", "")),
                kind=str(variable.attrs.get("kind", "behaviour")),
            )
        elif key.startswith(_SPIKES):
            spikes[key.removeprefix(_SPIKES)] = variable.values
    mask = data["mask"].transpose("time", neuron).values if "mask" in data else None
    confidence = data["label_confidence"].values if "label_confidence" in data else None
    unit = data.attrs.get("unit", data["values"].attrs.get("units", ""))
    return Recording(
        times=data["time"].values,
        values=values,
        labels=_labels(data["values"], neuron),
        mask=None if mask is None else mask.astype(bool),  # netCDF may hand back integers
        series=series,
        unit=str(unit),
        name=str(data.attrs.get("name", "")),
        metadata={
            str(k).removeprefix(_METADATA): str(v)
            for k, v in data.attrs.items()
            if str(k).startswith(_METADATA)
        },
        spikes=spikes,
        label_confidence=confidence,
    )


def _from_array(data: "xarray.DataArray") -> Recording:
    values, neuron = _oriented(data)
    unit = str(data.attrs.get("units", ""))
    name = str(data.name) if data.name is not None else ""
    return Recording(data["time"].values, values, _labels(data, neuron), unit=unit, name=name)


def _oriented(data: "xarray.DataArray") -> tuple[np.ndarray, str]:
    """Samples as (time, neuron), and what the second dimension is called."""
    others = [str(d) for d in data.dims if d != "time"]
    if "time" not in data.dims or len(others) != 1:
        raise RecordingError(
            f"data must have the dimension 'time' and one other, but has {_listed(data.dims)}; "
            "rename or select"
        )
    if "time" not in data.coords:
        raise RecordingError("data has no coordinate 'time' (seconds); assign_coords(time=...)")
    if data["time"].dtype.kind not in "fiu":
        raise RecordingError(
            f"coordinate 'time' must be seconds as numbers, but its type is {data['time'].dtype}"
        )
    return data.transpose("time", others[0]).values, others[0]


def _labels(data: "xarray.DataArray", neuron: str) -> list[str] | None:
    """Texts of the coordinate `label`, else of the dimension's own; numbers are no labels."""
    for key in ("label", neuron):
        if key in data.coords and data[key].dims == (neuron,):
            items = data[key].values.tolist()
            if all(isinstance(k, str) for k in items):
                return items
    return None


def _texts(labels: tuple[str, ...]) -> np.ndarray:
    """Python strings: NumPy's own texts would drop trailing NUL characters."""
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array


def _listed(names: Any) -> str:
    return ", ".join(repr(str(n)) for n in names) or "none"


def _import_xarray() -> Any:
    try:
        import xarray
    except ImportError as error:
        raise ImportError(
            "this needs xarray: pip install 'neurojax-dynamics[recordings]'"
        ) from error
    return xarray
