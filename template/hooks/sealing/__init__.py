"""Sealing: from the inputs of an operator to encrypted Secret manifests, plaintext never on disk.

Nothing here needs more than Python's standard library and PyYAML, so that it runs under copier's own interpreter.
"""
