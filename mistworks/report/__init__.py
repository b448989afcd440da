"""Visual reports of an evaluation: one HTML file, and pictures."""

from mistworks.report.document import Report, render, write_report
from mistworks.report.pictures import pictures

__all__ = ["Report", "pictures", "render", "write_report"]
