"""From an executed document to PDF, page and notebook."""
