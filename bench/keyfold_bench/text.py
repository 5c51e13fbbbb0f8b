"""Figures as a reader of a table wants them."""


def number(value, digits=0):
    return "–" if value is None else f"{value:,.{digits}f}"


def spread(found, digits=0):
    """Median and range."""
    if found is None:
        return "–"
    middle = number(found["median"], digits)
    if len(found["runs"]) == 1:
        return middle
    return f"{middle} [{number(found['min'], digits)}–{number(found['max'], digits)}]"


def times(found):
    """A ratio of which more is better: 4.2 times."""
    return "–" if found is None else f"{spread(found, 2)} times"


def fraction(found):
    """A ratio of which less is better: 1/5.3."""
    if found is None:
        return "–"
    one = lambda value: f"1/{1 / value:.1f}" if value else "0"
    if len(found["runs"]) == 1:
        return one(found["median"])
    return f"{one(found['median'])} [{one(found['min'])}–{one(found['max'])}]"


def share(found):
    """A ratio of which less is better, and which is not far from 1: 0.85."""
    return spread(found, 2)


def percent(found):
    """A ratio close to 1, as what it is more or less."""
    if found is None:
        return "–"
    one = lambda value: f"{(value - 1) * 100:+.1f} %"
    if len(found["runs"]) == 1:
        return one(found["median"])
    return f"{one(found['median'])} [{one(found['min'])} to {one(found['max'])}]"


def percent_of(found):
    """A share of something larger."""
    return "–" if found is None else f"{spread({**found, **{name: found[name] * 100 for name in ('median', 'min', 'max')}})} %"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"
