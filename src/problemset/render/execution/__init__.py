"""Running a document's cells, and keeping what they gave."""
