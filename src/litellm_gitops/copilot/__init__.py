"""Gets the token with which LiteLLM Proxy uses GitHub Copilot: login, check of the account, storing.

The login is the device flow of RFC 8628, as GitHub speaks it:
https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#device-flow
The token is written to one file, or goes straight into sealing. It is never shown.
"""
