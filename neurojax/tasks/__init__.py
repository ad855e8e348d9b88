"""Tasks for circuits: trials drawn in pure JAX, scores, and trials from recordings.

A task is a small module. `task.trials(key, count)` draws a batch, `task.score(trials, outputs)`
says how well outputs solve each of them. Times are in ms.
"""

from . import scores
from .centre_out import CentreOutReach
from .context_decision import ContextDecision
from .decision import DecisionTask
from .delayed_addition import DelayedAddition
from .delayed_match import DelayedMatchToSample
from .delayed_recall import DelayedRecall
from .fixation import Fixation
from .flip_flop import FlipFlop
from .forecast import ForecastTask
from .from_recording import from_recording
from .henon import Henon
from .hidden_markov import HiddenMarkov, stationary
from .line_drawing import LineDrawing
from .lorenz import Lorenz
from .mackey_glass import MackeyGlass
from .meet import MEET, relative_error
from .narma import NARMA
from .parametric_memory import ParametricWorkingMemory, neighbours
from .perceptual_decision import PerceptualDecision
from .psychometric import Psychometric, PsychometricFit, psychometric
from .ready_set_go import ReadySetGo
from .rossler import Rossler
from .scores import r2
from .sine_generation import SineGeneration
from .standardise import standardise
from .task import Task
from .trials import Trials

__all__ = [
    "MEET",
    "NARMA",
    "relative_error",
    "CentreOutReach",
    "ContextDecision",
    "DecisionTask",
    "DelayedAddition",
    "DelayedMatchToSample",
    "Fixation",
    "DelayedRecall",
    "FlipFlop",
    "ForecastTask",
    "Henon",
    "HiddenMarkov",
    "LineDrawing",
    "Lorenz",
    "MackeyGlass",
    "ParametricWorkingMemory",
    "PerceptualDecision",
    "Psychometric",
    "PsychometricFit",
    "ReadySetGo",
    "Rossler",
    "SineGeneration",
    "Task",
    "Trials",
    "from_recording",
    "neighbours",
    "psychometric",
    "r2",
    "scores",
    "standardise",
    "stationary",
]
