"""The answer of a study: its best point and how sure that is, plots, a page, and an experiment to run."""

from trivium.sweep.report.facts import Confirmed, Report, StudyFacts
from trivium.sweep.report.page import write_report
from trivium.sweep.report.telling import outcome, tell

__all__ = ["Confirmed", "Report", "StudyFacts", "outcome", "tell", "write_report"]
