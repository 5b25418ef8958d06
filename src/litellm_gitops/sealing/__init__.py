"""Sealing: from the inputs of an operator to encrypted Secret manifests, plaintext never on disk.

Under copier's own interpreter this needs what copier itself needs, and no more: ruamel.yaml and pyrage are imported
where they are used.
"""
