"""Draw assets/interpolation.png, the README's picture, from the released models.

Usage: .venv/bin/python tools/readme_picture.py
"""

from latentwalk import paths
from latentwalk.experiments import study
from latentwalk.figures import pictures
from problemset import file_io


def main() -> None:
    """Draw both strips and write the picture."""
    work = study.open_study(seed=2017)
    pair = work.pick_pair(work.ten_samples())
    figure = pictures.fig_strips(work.generator_path(pair), work.vae_path(pair.labels))
    target = paths.released_weights_dir().parent / "interpolation.png"
    with file_io.atomic_path(target) as temporary:
        figure.savefig(temporary, format="png", dpi=160, metadata={"Software": None})


if __name__ == "__main__":
    main()
