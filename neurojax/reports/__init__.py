"""Reports: what a fit found, in numbers (`summary`) and as a page (`report`)."""

from .fit_report import report
from .summary import short_table, summary

__all__ = ["report", "short_table", "summary"]
