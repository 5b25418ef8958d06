"""What acts on and evaluates a repository that this template rendered: sealing, the login at Copilot, the rules."""
