"""Commands with files of their own; `kresnet.cli` registers them."""
