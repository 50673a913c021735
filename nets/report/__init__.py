"""The page of a run: ``report.html``, one file that shows all that a run's folder holds.

From simple to complex: `curves` (lines by epoch, as SVG), `markdown` (a study's report.md as HTML), `folder`
(what a run's folder holds), `page` (the whole).
"""

from nets.report.folder import RunFolder, command_line, headline, read_folder
from nets.report.page import page, write_report

__all__ = ["RunFolder", "command_line", "headline", "page", "read_folder", "write_report"]
