"""The command `kresnet schema`."""


def schema() -> None:
    """Print the JSON schema of a spec, for editors."""
    import json

    from kresnet.spec import json_schema

    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
