"""How far a commit reaches, whichever the engine: what it would bring, and the engine may not write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from posixpath import basename, dirname

from litellm_gitops.documents import dig, sequence, text
from litellm_gitops.findings import Finding, Misspelt, edit
from litellm_gitops.objects import Identity, Object, found_in
from litellm_gitops.rules.admission import is_refused_value
from litellm_gitops.rules.engine import RENDERED, Synced
from litellm_gitops.rules.kinds import is_nearly_known
from litellm_gitops.rules.kubernetes import known_version
from litellm_gitops.subjects import is_filled_in


def beyond(
    each: Synced, writer: str, permits: Callable[[str, str], bool], limits: Object, *ours: Identity
) -> Iterator[Finding]:
    """A finding for all that a commit would bring and `writer` may not write, but for `ours`.

    `permits` says it of a group and a kind of the namespace, as it stands in the object `limits`.
    """
    namespace = each.repository.namespace
    for folder in each.folders:
        document, listed = each.listing(folder)
        for number, entry in enumerate(listed):
            if document and (each.is_by_hand(entry) or any(map(each.is_by_hand, each.repository.under(entry)))):
                what = f"{entry} is for a person to apply: it says how far a commit reaches, so no commit brings it"
                yield found_in(document, ("resources", number), what, "take the line away")
    for found in each.objects:
        kind, name = found.identity.kind, found.identity.name
        # what lists files for Kustomize has no name; whether ours have the right one another rule says
        is_ours = (kind, name) in {(own.kind, own.name) for own in ours}
        by_hand = each.is_by_hand(found.document.file) or found.document.file in each.misnamed
        if not (kind and name) or by_hand or is_ours:
            continue
        document, listed = each.listing(dirname(found.document.file))
        if document and found.document.file not in listed:
            continue  # it is never applied, and another rule says so
        if each.namespace_of(found) != namespace:
            what = f"{kind} {name} is not in namespace {namespace}, and {writer} may write nowhere else"
            told = found.finding(("metadata",), what, "take it out: what reaches further a person applies")
            given = found.identity.namespace
            yield replace(told, other=Misspelt(given, namespace)) if given else told
        elif not permits((api_version := text(found.get("apiVersion"))).rpartition("/")[0], kind):
            if is_nearly_known(api_version, kind, known_version(each.repository)):
                continue  # another rule says so
            what, file = f"{writer} may not write a {kind}, so it is never applied", basename(found.document.file)
            if file in RENDERED:
                yield limits.finding(("spec",), f"{what}: {file} brings one", "name the kind")
                continue
            yield found.finding(("kind",), what, f"take it out, or name the kind in {limits.document.file}")


def beyond_in_values(
    each: Synced, writer: str, permits: Callable[[str, str], bool], limits: Object
) -> Iterator[Finding]:
    """As above, of the objects that values add to the release. Of one that is refused another rule tells."""
    values = each.cluster.values
    place = values.chart.objects if values else ()
    for number, entry in enumerate(sequence(values.get(*place) if values and place else ())):
        api_version, kind = text(dig(entry, "apiVersion")), text(dig(entry, "kind"))
        if values is None or not kind or is_filled_in(kind) or is_refused_value(each.repository, entry):
            continue
        is_misspelt = is_nearly_known(api_version, kind, known_version(each.repository))
        if not permits(api_version.rpartition("/")[0], kind) and not is_misspelt:
            what = f"{writer} may not write a {kind}, so that the release fails"
            gives_rights = "rbac" in api_version
            fix = "a person applies what gives rights" if gives_rights else f"name the kind in {limits.document.file}"
            fix = f"take it out: {fix}" if gives_rights else f"take it out, or {fix}"
            yield values.finding((*place, number, "kind"), what, edit(fix))
