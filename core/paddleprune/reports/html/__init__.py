"""One HTML file that shows what a run left on disk: gathered, drawn, filled into a template."""

from paddleprune.reports.html.gather import gather as gather
from paddleprune.reports.html.page import render as render
from paddleprune.reports.html.page import unedited as unedited
