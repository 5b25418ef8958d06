"""The suite's fixtures; those of your own tests can stand beside them."""

pytest_plugins = ["litellm_gitops.pytest_plugin"]
