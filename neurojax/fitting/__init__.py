"""Fitting circuits to recordings: objectives, hold-outs, observers, scores, baselines."""

from . import rules
from .baselines import (
    left_out_animal_baselines,
    partners,
    ridge,
    same_animal_baselines,
    train_mean,
)
from .batch import Batch
from .contrastive_readout import ContrastiveReadout, contrastive_readout, info_nce
from .controls import AbstractControl, Shuffled, WithoutHomologues
from .early_exit import (
    EarlyExit,
    Exits,
    calibrated_temperature,
    confidence,
    fit_early_exit,
    oracle_exits,
)
from .estimator import Estimator
from .fit import EarlyStopping, fit
from .folds import Folds, homologue_indices, neuron_folds
from .force_readout import ForceReadout, ForceTrace, ForceTrials
from .free_run import free_run
from .generalisation import Generalisation, generalisation
from .hold_outs import AbstractHoldOut, HeldOutNeurons, LaterTime, LeaveOneAnimalOut, Split
from .logistic_readout import LogisticReadout, logistic_readout
from .normalisation import Normalisation
from .objectives import AbstractObjective, MaskedNeurons, TeacherForced, UserObjective, huber
from .observers import AbstractObserver, Clamp, EdgeObserver
from .problem import Aligned, align
from .readout import Driven, FittedReadout, drive, fit_readout, generate
from .readout_methods import (
    LMS,
    AbstractReadoutMethod,
    IncrementalRidge,
    RecursiveLeastSquares,
    Ridge,
    RidgeCV,
    RidgeGCV,
)
from .rescoring import rescored
from .result import Fit, Job, Protocol
from .scores import Scores, average, bootstrap_interval, imputation_scores, join, table
from .sinkhorn import sinkhorn_divergence, transport_cost
from .sweep import Sweep, sweep
from .train import Trained, train
from .trial_rule import AbstractTrialRule
from .tune import Tuned, search, tune
from .unroll import Unrolled, unroll
from .weights import EdgeWeights, edge_weights
from .what_when import ErrorModulated, WhatWhen, WhatWhenTrace

__all__ = [
    "AbstractControl",
    "AbstractHoldOut",
    "AbstractObjective",
    "AbstractObserver",
    "Aligned",
    "Batch",
    "Clamp",
    "EarlyStopping",
    "EdgeObserver",
    "EdgeWeights",
    "Estimator",
    "Fit",
    "Folds",
    "Generalisation",
    "HeldOutNeurons",
    "Job",
    "LaterTime",
    "LeaveOneAnimalOut",
    "MaskedNeurons",
    "Normalisation",
    "Protocol",
    "Scores",
    "Shuffled",
    "Split",
    "TeacherForced",
    "Trained",
    "Unrolled",
    "UserObjective",
    "WithoutHomologues",
    "align",
    "average",
    "bootstrap_interval",
    "edge_weights",
    "fit",
    "free_run",
    "homologue_indices",
    "huber",
    "imputation_scores",
    "join",
    "left_out_animal_baselines",
    "neuron_folds",
    "partners",
    "rescored",
    "ridge",
    "rules",
    "sinkhorn_divergence",
    "same_animal_baselines",
    "table",
    "train",
    "train_mean",
    "transport_cost",
    "unroll",
    "AbstractReadoutMethod",
    "FittedReadout",
    "IncrementalRidge",
    "LMS",
    "RecursiveLeastSquares",
    "Ridge",
    "RidgeCV",
    "RidgeGCV",
    "ContrastiveReadout",
    "contrastive_readout",
    "info_nce",
    "EarlyExit",
    "Exits",
    "calibrated_temperature",
    "confidence",
    "fit_early_exit",
    "oracle_exits",
    "ForceReadout",
    "ForceTrace",
    "ForceTrials",
    "LogisticReadout",
    "logistic_readout",
    "AbstractTrialRule",
    "ErrorModulated",
    "WhatWhen",
    "WhatWhenTrace",
    "Driven",
    "Sweep",
    "drive",
    "Tuned",
    "fit_readout",
    "generalisation",
    "generate",
    "search",
    "sweep",
    "tune",
]
