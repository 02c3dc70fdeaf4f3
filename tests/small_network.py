"""A network that compiles in a third of the time that the digits' one takes."""

OVERRIDES = (
    "model.stem.width=8",
    "model.stages=[{block: basic, shortcut: A, blocks: 1, width: 8,"
    " stride: 1}]",
)
