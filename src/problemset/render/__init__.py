"""Render report.qmd to a PDF, a web page and an executed notebook."""
