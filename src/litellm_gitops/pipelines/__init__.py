"""What GitHub and GitLab read of a pipeline, and what its steps do."""
