"""What acts on and evaluates a repository that the template litellm-gitops rendered: sealing, Copilot's login, the rules."""
