"""import.json: where the weights of an imported network come from."""

from pathlib import Path
from typing import Annotated, Literal

from kresnet.documents import Exact, Expected, Fields, Flag
from kresnet.errors import InputMissingError
from kresnet.records.identity import Beginning, Identity
from kresnet.records.run import Names, Texts
from kresnet.records.typed_file import read_typed
from kresnet.spec import Spec

IMPORT = "import.json"
WEIGHTS = "weights.safetensors"


class ImportedFile(Fields):
    """A file that was read, and its SHA-256 sum."""

    name: str
    sha256: str


class ImportRecord(Fields):
    """What an import took, from where, and what it had to assume.

    Attributes:
        kresnet_import: Tells it from other programs' files.
        recipe: Digest of the spec that lies beside it.
        weights: SHA-256 of the file of the weights.
        files: What was read.
        naming: Whose names they had.
        prefix: What stood before every name.
        arrays: The names in the files, by the path of the variable that was
            made of them.
        changes: What was folded, widened, turned, in words.
        left_over: Names that were not taken, and why.
        drawn: Layers of which the files had nothing; zeros stand for them.
        assumed: What no file says and the spec decided, in words.
        transforms: Where their constants come from, in words.
        view: The part of an image that the network sees, and who says so, in
            words.
    """

    kresnet_import: Annotated[Literal[1], Exact]
    recipe: str
    weights: str
    files: Annotated[tuple[ImportedFile, ...], Expected("a list of mappings")]
    naming: str
    prefix: str
    arrays: dict[str, Names]
    changes: Names
    left_over: Texts
    drawn: Names
    assumed: Names
    transforms: str
    view: str
    has_classifier: Flag

    def identity(self, spec: Spec) -> Identity:
        """The identity of the network: of a spec, begun with these weights."""
        begun = Beginning(weights=self.weights)
        return Identity(recipe=self.recipe, beginning=begun).with_spec(spec)


def read_import(folder: Path) -> ImportRecord:
    """Reads import.json; its files are not opened.

    Raises:
        InputMissingError: It is not there, or cannot be read.
        BadDataError: It is damaged.
    """
    if record := read_typed(folder / IMPORT, ImportRecord):
        return record
    raise InputMissingError(f"{folder}: holds no {IMPORT} of an import")
