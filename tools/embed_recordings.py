"""Make the embedded recordings from the source files: `python tools/embed_recordings.py`.

Reads `../shared/data/celegans/recordings/*.npz`, whose README says how they were extracted from
the authors' files, and writes `neurojax/recordings/data/dag2023_<uid>.npz`. The z-scored traces
of the source are left out: they follow from the fluorescence. The one zero-padded label, `VB02`
in two animals, becomes `VB2`.
"""

from pathlib import Path

import numpy as np

from neurojax.recordings import Recording, Series, tidy_label

_ROOT = Path(__file__).resolve().parent.parent
_SOURCE = _ROOT.parent / "shared" / "data" / "celegans" / "recordings"
_TARGET = _ROOT / "neurojax" / "recordings" / "data"

_METADATA = {
    "species": "Caenorhabditis elegans, adult hermaphrodite, strain SWF702",
    "method": "whole-brain GCaMP imaging of a freely moving animal on food; neurons identified "
    "by NeuroPAL",
    "citation": "Dag U, Nwabudike I, Kang D, et al. (2023). Dissecting the functional "
    "organization of the C. elegans serotonergic system at whole-brain scale. "
    "Cell 186(12):2574-2592",
    "source": "github.com/flavell-lab/NSM_5HTR_analysis, commit 47bc370, data/swf702_with_id and "
    "NeuroPAL_labels_dict.jld2",
    "licence": "the source repository states none; the same recordings are redistributed as "
    "Dag2023 in the Hugging Face set qsimeon/celegans_neural_data under the MIT licence",
    "label_confidence": "1 (lowest) to 5 (highest), the authors' scale",
}
_BEHAVIOUR = {
    "velocity": "mm/s",
    "angular_velocity": "",
    "head_angle": "",
    "worm_curvature": "",
    "body_angle": "rad",
    "reversal": "",
}


def main() -> None:
    """Convert every source file and print the sizes."""
    _TARGET.mkdir(parents=True, exist_ok=True)
    for path in sorted(_SOURCE.glob("dag2023_*.npz")):
        with np.load(path, allow_pickle=False) as source:
            times = source["time_s"]
            recording = Recording(
                times=times,
                values=source["F_over_F20"],
                labels=[tidy_label(k) for k in source["label"].tolist()],
                series={k: Series(times, source[k], u) for k, u in _BEHAVIOUR.items()},
                unit="F/F20",
                name=str(source["uid"]),
                metadata=_METADATA,
                label_confidence=source["label_confidence"],
            )
        target = _TARGET / path.name
        recording.save(target)
        print(f"{target.relative_to(_ROOT)}: {target.stat().st_size} bytes, {recording!r}")


if __name__ == "__main__":
    main()
