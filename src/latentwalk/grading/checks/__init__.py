"""The checks, problem by problem: everything is made again from weights and inputs."""
