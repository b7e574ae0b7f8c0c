"""A score in the formats that others read."""
