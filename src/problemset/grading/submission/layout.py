"""Names of the files in a submission that the machinery itself reads."""

PAPER = "report.pdf"
"""The report, with everything that is not code."""
NOTEBOOK = "report.ipynb"
"""The executed notebook."""
NOTEBOOK_RUN = "notebook-run.json"
"""Record of running the notebook again, which the grader writes into its private copy."""
