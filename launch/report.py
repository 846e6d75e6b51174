"""Tables and pictures of a run: python -m launch.report --workdir=DIR.

Writes report.md (the results table), overlays/ (frame and map; truth green, prediction red; the CAM
baseline left, TCAM right) and overlays.jpg (some of them on one sheet) into the workdir.
"""

from pathlib import Path

from absl import flags
from PIL import Image

from launch import command
from tcam_jax import config as configuration
from tcam_jax import runs
from tcam_jax.data.dataset import Dataset
from tcam_jax.evaluate.maps import TCAM_METHOD
from tcam_jax.evaluate.overlays import contact_sheet
from tcam_jax.evaluate.results import read_results
from tcam_jax.report.gallery import pictures
from tcam_jax.report.table import results_table
from tcam_jax.train.parallel import Parallel

_WORKDIR = flags.DEFINE_string("workdir", None, "folder of a trained and evaluated run")
_PER_CLASS = flags.DEFINE_integer("per_class", 3, "frames drawn of each class", lower_bound=1)


def main() -> None:
    """Write the report's files and print where they are."""
    workdir = Path(_WORKDIR.value)
    config, results = configuration.load(workdir), read_results(workdir)
    data, parallel = Dataset(config), Parallel(config.parallel)
    table = results_table(results)
    (workdir / "report.md").write_text(f"# {workdir.name}\n\n{table}\n")

    networks = runs.load_networks(config, workdir, len(data.class_names), parallel)
    by_method = {
        config.tcam.cam_method: networks.seeds.variables,
        TCAM_METHOD: networks.tcam.variables,
    }
    folder = workdir / "overlays"
    folder.mkdir(exist_ok=True)
    sheet, classes_shown = [], set()
    drawn = pictures(
        config, data, parallel, by_method, results["tau"], results["split"], _PER_CLASS.value
    )
    for picture in drawn:
        name = picture.frame_id.replace("/", "_").rsplit(".", 1)[0] + ".jpg"
        Image.fromarray(picture.image).save(folder / name, quality=92)
        label = picture.frame_id.split("/")[0]
        if label not in classes_shown:
            classes_shown.add(label)
            sheet.append(picture.image)
    Image.fromarray(contact_sheet(sheet, columns=2)).save(workdir / "overlays.jpg", quality=92)
    print(table)
    for path in (workdir / "report.md", folder, workdir / "overlays.jpg"):
        print(path)


if __name__ == "__main__":
    command.run(main, required=["workdir"])
