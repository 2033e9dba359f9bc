"""Tables in Markdown."""


def print_row(cells: list[str]) -> None:
    """Prints a row at once, so that a run that is cut short has told what it knew."""
    print("| " + " | ".join(cells) + " |", flush=True)
