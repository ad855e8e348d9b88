"""What the pictures share: new axes, and colours that the colour-blind can tell apart."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Okabe and Ito's palette
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
GREY, PALE = "#8C8C8C", "#D9D9D9"
LINES = ("-", "--", ":", "-.")  # of the first sets that have all colours, the next ones, ...


def dark() -> str:
    """The darkest colour; on a dark ground, where text is light, that of the text."""
    from matplotlib import rcParams
    from matplotlib.colors import to_rgb

    text = rcParams["text.color"]
    return text if sum(to_rgb(text)) > 1.5 else "#333333"


def colours() -> tuple[str, ...]:
    """One for each of a set."""
    return (BLUE, VERMILION, GREEN, ORANGE, "#CC79A7", "#56B4E9", dark())


def new_axes(width: float, height: float) -> "Axes":
    """The axes of a new figure (inches) that pyplot does not know of and need not close."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained").add_subplot()


def inches(ax: "Axes") -> tuple[float, float]:
    """Width and height of axes."""
    extent = ax.get_window_extent()
    return extent.width / ax.figure.dpi, extent.height / ax.figure.dpi


def open_frame(ax: "Axes", *sides: str) -> None:
    """Leave only these sides of the frame."""
    for side in ("left", "right", "top", "bottom"):
        ax.spines[side].set_visible(side in sides)


def whole_numbers(*axes: "Axis") -> None:
    """Label whole numbers only: counts, or numbers of neurons."""
    from matplotlib.ticker import MaxNLocator

    for axis in axes:
        axis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
