"""Rows of a measurement as a table."""

from rich.table import Table


def rows_table(rows: list[dict], title: str) -> Table:
    """Shows rows, dicts of one shape, as a rich table.

    Args:
        rows: At least one; numbers are shown with four significant digits.
        title: Above the table.
    """
    table = Table(title=title)
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(
            *(
                f"{value:.4g}" if isinstance(value, float) else str(value)
                for value in row.values()
            )
        )
    return table
