"""From report.qmd to one PDF, one web page and one executed notebook."""
