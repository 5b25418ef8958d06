"""A run that changes a repository: under its lock, from values to sealed files, all of them or none."""

from __future__ import annotations

import contextlib
import secrets
import string
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from litellm_gitops.documents import dig, mapping
from litellm_gitops.repository import ANSWERS, Cluster, Repository, WantedSecret, secret_name
from litellm_gitops.sealing import agreed, checksums, creation_rules, forms, keys, report, sealed_file
from litellm_gitops.sealing.creation_rules import CONFIG
from litellm_gitops.sealing.errors import FAILED, UNSEALED, USAGE, SealingError
from litellm_gitops.sealing.inputs import Inputs, Value, refuse_unknown
from litellm_gitops.sealing.recipients import KMS, is_age_key, named, split
from litellm_gitops.sealing.sealed_file import Flaw, Kind
from litellm_gitops.sealing.sops import Sops
from litellm_gitops.sealing.transaction import Transaction, lock, refuse_link
from litellm_gitops.sealing.trust import Consent, Trust

_PLACEHOLDER_VALUE = "placeholder"
_OPEN = "is open to others, and this file system keeps it so: move the keys elsewhere, and set SOPS_AGE_KEY_FILE"
_READABLE = {Kind.PLAINTEXT, Kind.METADATA, Kind.UNSEALED, Kind.CONFLICT}


@dataclass(frozen=True)
class Plan:
    """A Secret to be sealed: its values, the keys whose input is missing, and those whose sealed value stays."""

    secret: WantedSecret
    values: Mapping[str, Value]
    missing: Sequence[str]
    kept: Container[str] = ()


def chosen(repository: Repository, name: str | None) -> list[Cluster]:
    """The clusters that a name stands for: one, all of an environment, or all. Raises SealingError with USAGE."""
    found = [each for each in repository.clusters if name in (None, each.name, each.environment)]
    exact = [each for each in found if each.name == name]
    if not found:
        known = ", ".join(each.name for each in repository.clusters)
        # not quoted, as nothing of an argument is: it may be a credential that went astray
        raise SealingError(f"--cluster names no cluster of this repository: choose from {known}", USAGE)
    return exact or found


def never_rotated(repository: Repository, secret: WantedSecret) -> str | None:
    """Why a tool never makes a Secret anew, if so: as the package says, to which the repository's list can add."""
    known = repository.matrix.secrets.get(secret.name)
    return (known.never_rotate if known else None) or secret.never_rotate


def _plan(secret: WantedSecret, inputs: Inputs, anew: bool = False) -> Plan:
    """The values of a Secret: from its inputs, else generated, else none.

    With `anew` an input that may still be there from the last time is not taken for what can be generated.
    """
    values: dict[str, Value] = {}
    missing = []
    for key, source in secret.keys.items():
        wanted = source.names if not (anew and source.generate) else inputs.given.keys() & {*source.names}
        value = inputs.lookup(key, source, secret.cluster) if wanted else None
        if value is None and source.generate:
            value = _generate(source.generate)
        if value is None:
            missing.append(key)
        values[key] = value or Value(_PLACEHOLDER_VALUE)
    return Plan(secret, values, missing)


def _generate(kind: str) -> Value:
    if kind == "master_key":
        return Value(f"sk-{secrets.token_hex(16)}")
    if kind == "salt_key":
        return Value(f"sk-{secrets.token_hex(32)}")
    alphabet = string.ascii_letters + string.digits
    return Value("".join(secrets.choice(alphabet) for _ in range(32)))


@contextlib.contextmanager
def change(
    repository: Repository,
    name: str | None,
    transaction: Transaction | None = None,
    consent: Consent | None = None,
) -> Iterator[tuple[Run, list[Cluster]]]:
    """A run under the lock, with the clusters that `name` stands for. Leaving it puts its files in place, and only then
    it is remembered for whom was sealed.

    Raises SealingError with USAGE for another name. An error drops what is staged.
    """
    chosen(repository, name)  # before anything is waited for
    root = repository.root
    transaction = transaction or Transaction(root)
    with lock(root):
        with transaction:
            report.unfinished(transaction)
            for path in keys.tighten(root):
                still = (root / path).stat().st_mode & 0o077  # some file systems take a chmod and do nothing
                report.note(f"{path} {_OPEN if still else 'was open to others: it is for its owner alone now'}")
            run = Run(Repository(root), transaction, consent)
            yield run, chosen(run.repository, name)
        try:
            run.trust.remember()
        except OSError as error:  # what was sealed is in place all the same
            report.note(f"it cannot be remembered for whom was sealed: {error.strerror}")


class Run:
    """What a run knows and does. `repository` is as it was when the lock was taken."""

    def __init__(self, repository: Repository, transaction: Transaction, consent: Consent | None = None) -> None:
        self.repository = repository
        self.transaction = transaction
        self.dropped: list[str] = []  # annotations that told the values of a Secret
        self._consent = consent or Consent()
        # with its line ends
        content = repository.content(CONFIG)
        self._text = None if content is None else content.decode("utf-8", "replace")
        for file in (CONFIG, agreed.AGREED):  # what is written over it would drop one side's recipients
            if conflict := sealed_file.conflict(repository, file):
                raise refusal(repository, file, conflict)
        self.config = creation_rules.load(repository)

    @cached_property
    def sops(self) -> Sops:
        """The sops of this run. Raises SealingError with code NO_SOPS."""
        return Sops(self.repository.root)

    @cached_property
    def trust(self) -> Trust:
        """For whom this clone has sealed before."""
        return Trust(self.repository, self._consent)

    def confirm(self, clusters: Iterable[Cluster]) -> None:
        """Have the recipients of these clusters accepted, after a rule was added where there is none.

        Raises SealingError for a rule that is unsound, and for a recipient that is new and not accepted.
        """
        clusters = list(clusters)
        self.add_rules(clusters)
        recipients = {cluster: named(self._rule(cluster)) for cluster in clusters}
        self.trust.confirm(recipients)
        if (text := agreed.text(self.repository, recipients)) is not None:
            self.transaction.put(agreed.AGREED, text)

    def agrees(self, cluster: Cluster) -> bool:
        """Whether this clone has agreed to all recipients of a cluster, and that is not written down yet."""
        rule = self._rule(cluster)
        return bool(
            agreed.difference(cluster, rule)
            and not creation_rules.problems(self.config, cluster.name)
            and all(self.trust.knows(cluster, each) for each in named(rule))
        )

    def _rule(self, cluster: Cluster) -> dict[str, Any]:
        return creation_rules.of_cluster(self.config, cluster.name) or {}

    def plans(
        self, wanted: Sequence[WantedSecret], given: Mapping[str, str] | None = None, *, anew: bool = False
    ) -> list[Plan]:
        """How each of these Secrets would be sealed, from `given` before all other inputs.

        With `anew` what can be generated is, whatever else than `given` there is.

        Raises SealingError where sops is missing, or an input cannot be taken.
        """
        if not wanted:
            return []
        assert self.sops
        refuse_unknown(self.repository, wanted)
        for other in map(checksums.other_ending, wanted):
            if self.repository.has(other):
                name = f"{other.removesuffix('.yml')}.yaml"
                raise SealingError(f"{other} is there, which belongs into {name}: rename it. Nothing was sealed.")
        inputs = Inputs.read(self.repository.root, given)
        return [_plan(secret, inputs, anew) for secret in wanted]

    def lacks_rule(self, cluster: Cluster) -> bool:
        """Whether a cluster has no creation rule yet."""
        return creation_rules.is_needed(self.config, cluster.name, bool(encrypted_files(cluster)))

    def add_rules(self, clusters: Iterable[Cluster]) -> None:
        """Stage a rule, and a key, for each cluster that lacks them. Raises SealingError for a rule that is unsound."""
        for cluster in clusters:
            if not self.lacks_rule(cluster):
                self.refuse_unsound(cluster)
                continue
            self._text = creation_rules.add(self._text, cluster.name, self._recipients(cluster), cluster.kms)
            self.config = creation_rules.load(self._text)
            self.transaction.put(CONFIG, self._text)

    def refuse_unsound(self, cluster: Cluster) -> None:
        """Raise SealingError where the rule of a cluster is no rule to seal by."""
        files = {*(secret.file for secret in cluster.wanted.values()), *encrypted_files(cluster)}
        if problems := creation_rules.problems(self.config, cluster.name, sorted(files)):
            raise SealingError(f"{CONFIG}: {problems[0]}: correct the rule. Nothing was sealed.")

    def _recipients(self, cluster: Cluster) -> list[str]:
        answered = self.repository.answers.get("age_recipients") or []
        recipients = [str(each) for each in (answered if isinstance(answered, list) else [answered])]
        for each in recipients:
            if not is_age_key(each):
                raise SealingError(
                    f"{each!r}, which age_recipients in {ANSWERS} names, is not an age public key: one letter may be "
                    "wrong. Answer it again (README.md, Change and validate). Nothing was sealed."
                )
        return recipients or [self._key(cluster)]

    def _key(self, cluster: Cluster) -> str:
        """The public key of a cluster's own key, which is made and staged where there is none."""
        path = self.repository.root / cluster.key_file
        refuse_link(path, self.repository.root)
        if path.is_file():
            return keys.public_key(path)
        if encrypted_files(cluster):
            # they are for a key that a cluster has: a new one would lock it out
            raise SealingError(
                f"{CONFIG} has no rule for {cluster.secrets_folder}/, and {cluster.key_file} is not here: "
                f"take {CONFIG} from git history. Nothing was sealed."
            )
        text, public = keys.make(self.repository.root)
        self.transaction.put(cluster.key_file, text, mode=0o600)
        self.trust.made(public, cluster.key_file)
        return public

    def seal(self, plans: Sequence[Plan]) -> None:
        """Encrypt and stage each of these Secrets."""
        if not plans:
            return
        for each in plans:
            _refuse_same(each)
        manifests = [(self._manifest(each), each.secret.file) for each in plans]
        texts = self.sops.map(lambda each: self.encrypt(*each), manifests)
        for each, text in zip(plans, texts, strict=True):
            self.transaction.put(each.secret.file, text)

    def encrypt(self, manifest: Mapping[str, Any], file: str) -> str:
        """The sealed text of a manifest, checked: sops ends with 0 also when it encrypted nothing."""
        manifest = {key: value for key, value in manifest.items() if key != "sops"}
        entry = creation_rules.find(self.config, file) or {}
        clouds = creation_rules.clouds(entry)
        text = self.sops.encrypt(manifest, self.transaction.current(CONFIG), file, clouds=clouds)
        for flaw in sealed_file.check(text, creation_rules.as_rule(entry)):
            if flaw.kind is Kind.METADATA:
                raise refusal(self.repository, file, flaw)
            raise SealingError(
                f"sops left {file} unsealed (it {flaw.what}): see its rule in {CONFIG}. Nothing was sealed."
            )
        return text

    def decrypt(self, cluster: Cluster, file: str, mended: Iterable[Kind] = ()) -> dict[str, Any]:
        """The plaintext manifest of a sealed file, after it is proved that it names nobody but who its rule does.

        Raises SealingError for any flaw but of those kinds that what comes next mends: then sops is not started.
        """
        self.refuse_unsound(cluster)
        entry = creation_rules.find(self.config, file) or {}
        # with the login of who runs this
        self.trust.ask([(cluster, key) for field in KMS for key in split(entry.get(field))])
        rule = creation_rules.as_rule(entry)
        for flaw in sealed_file.flaws(self.repository, file, rule):
            if flaw.kind not in mended:
                raise refusal(self.repository, file, flaw)
        identity = self.repository.root / cluster.key_file
        try:
            text = sealed_file.only(self.repository.text(file) or "", rule)
        except ValueError:
            what = "names a key of a cloud that its rule does not: take the file from git history"
            raise SealingError(f"{file} {what}. Nothing was changed.") from None
        return self.sops.decrypt(text, file, identity if identity.is_file() else None)

    def _manifest(self, plan: Plan) -> dict[str, Any]:
        document = self.repository.document(plan.secret.file)
        before = mapping(dig(document.value if document else None, "metadata"))
        annotations = dict(mapping(before.get("annotations")))
        for name in [name for name, value in annotations.items() if sealed_file.is_manifest(value)]:
            del annotations[name]
            self.dropped.append(f"{plan.secret.file}: {name}")
        for name in (sealed_file.PLACEHOLDER_ANNOTATION, sealed_file.MISSING_ANNOTATION):
            annotations.pop(name, None)
        if plan.missing:
            annotations[sealed_file.PLACEHOLDER_ANNOTATION] = "true"
            annotations[sealed_file.MISSING_ANNOTATION] = ",".join(sorted(plan.missing))
        for key in (key for key, source in plan.secret.keys.items() if source.form in forms.PASSWORDS):
            if key not in plan.kept:
                said = forms.sealed_as(plan.values[key].reveal(), plan.secret.keys[key].form)
                annotations.pop(sealed_file.ENCODED_ANNOTATION, None)
                annotations |= {sealed_file.ENCODED_ANNOTATION: said} if said else {}
        # what an operator added to the metadata survives a rotation
        metadata = {**before, "name": plan.secret.name, "namespace": self.repository.namespace}
        metadata.pop("annotations", None)
        if annotations:
            metadata["annotations"] = annotations
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": "Opaque",
            # in alphabetical order: kustomize sorts, and the message authentication code goes by order
            "stringData": {key: plan.values[key].reveal() for key in sorted(plan.values)},
        }

    def add_checksums(self, clusters: Iterable[Cluster]) -> None:
        """Stage the checksums file of each cluster where it is not what its Secrets are.

        Of a file that is flawed it keeps what it says: a new digest would make good of it. Raises SealingError with
        UNSEALED for a sealed file in conflict.
        """
        for cluster in clusters:
            staged = [secret.file for secret in cluster.wanted.values() if secret.file in self.transaction.changed]
            former, found = checksums.written(cluster), dict[str, str]()
            for file in sorted({*checksums.used(cluster), *staged}):
                name = secret_name(file)
                if file not in self.transaction.changed:
                    if conflict := sealed_file.conflict(self.repository, file):  # a digest would be one of neither side
                        raise refusal(self.repository, file, conflict)
                    if sealed_file.spoiled(self.repository, file):
                        found |= {each: digest for each, digest in former.items() if each == name}
                        continue
                found[name] = checksums.digest(self.transaction.current(file).read_bytes())
            text = checksums.text(cluster, found)
            if self.repository.text(cluster.checksums_file) != text:
                self.transaction.put(cluster.checksums_file, text)


def _refuse_same(plan: Plan) -> None:
    """Raise SealingError where one id is given for two: the tenant's for the application, say."""
    known = [(key, source.form, plan.values[key].reveal()) for key, source in plan.secret.keys.items()]
    if same := forms.same(each for each in known if each[0] not in plan.missing):
        what = f"{' and '.join(same)} (for {plan.secret.cluster}) are the same id: each has its own"
        raise SealingError(f"{what}. Nothing was sealed.")


def encrypted_files(cluster: Cluster) -> list[str]:
    """Every file that the rule of a cluster is for, in use or not, in any folder below; a link is none."""
    repository = cluster.repository
    files = [file for file in repository.under(cluster.secrets_folder) if file.endswith((".sops.yaml", ".sops.yml"))]
    return [file for file in files if not repository.source.is_link(file)]


def refusal(repository: Repository, file: str, flaw: Flaw) -> SealingError:
    """What is said of a file that cannot be worked with as it is."""
    fix = sealed_file.fix_of(flaw, repository, file)
    code = UNSEALED if flaw.kind in _READABLE else FAILED
    return SealingError(f"{file}:{flaw.line}: {flaw.what} — {fix.text}. Nothing was changed.", code)
