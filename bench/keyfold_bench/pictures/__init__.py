"""Pictures of the results, light and dark."""
from . import compared, floor, growth, interruption, soak
from .style import THEMES

# name: (the part of the results, what draws it, what says it in words)
PICTURES = {
    "overview": ("throughput", compared.overview, compared.overview_said),
    "throughput": ("throughput", compared.throughput, compared.throughput_said),
    "restore": ("restore", compared.restore, compared.restore_said),
    "latency": ("latency", compared.latency, compared.latency_said),
    "interruption": ("interruption", interruption.draw, interruption.said),
    "growth": ("growth", growth.draw, growth.said),
    "floor": ("floor", floor.draw, floor.said),
    "soak": ("soak", soak.draw, soak.said),
}
FOLDER = "pictures"


def draw(folder, results):
    """Draws what there are results of; the name of each picture and what it says."""
    target = folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    drawn = {}
    for name, (part, picture, said) in PICTURES.items():
        if part not in results:
            continue
        drawn[name] = said(results)
        for theme in THEMES:
            (target / f"{name}-{theme}.svg").write_text(picture(theme, results, folder).svg(drawn[name]), encoding="utf-8")
    return drawn
