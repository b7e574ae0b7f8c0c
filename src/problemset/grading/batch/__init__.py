"""A class of submissions: jobs, their places and results, and a cluster for them."""
