"""Medians, ranges and ratios of pairs."""
from statistics import median


def spread(values):
    """What a table shows of several runs."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    return {"median": median(values), "min": min(values), "max": max(values), "runs": values}


def ratios(ours, theirs):
    """Of runs of the same round: the first of ours to the first of theirs, and so on."""
    return spread([one / other for one, other in zip(ours, theirs) if one is not None and other])


def merged(runs):
    """Of runs with the same figures."""
    return {name: spread([run[name] for run in runs]) for name in runs[0]}


def compared(ours, theirs):
    return {name: ratios([run[name] for run in ours], [run[name] for run in theirs]) for name in ours[0]}


def percentile(ordered, share):
    """Of values in order; the nearest rank."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
