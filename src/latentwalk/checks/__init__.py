"""The checks, problem by problem; results are recomputed from weights and inputs."""
