"""`predictions.csv`: a row a box, for spreadsheets and pandas."""

import csv
from pathlib import Path

from tcam_jax.predict.formats.record import confidences, tracks
from tcam_jax.predict.formats.records import Records
from tcam_jax.runtime.files import writing_whole

FILE = "predictions.csv"

COLUMNS = (
    *("file", "frame", "time", "width", "height", "class", "probability"),
    *("x0", "y0", "x1", "y1", "score", "confidence", "track"),
)


def write(records: Records, folder: Path) -> None:
    """Write RFC 4180's CSV, UTF-8; a frame without a box has one row, its last columns empty.

    Raises:
      InputError: it cannot be written.
    """
    # Bytes of a name that are no UTF-8 are written as \\udcXX: the file stays text.
    with writing_whole(folder / FILE, newline="", errors="backslashreplace") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for record in records:
            about = [record[column] for column in COLUMNS[:7]]
            found = zip(
                *(record["boxes"], record["scores"], confidences(record), tracks(record)),
                strict=True,
            )
            rows.writerows([*about, *box, *rest] for box, *rest in found)
            if not record["boxes"]:
                rows.writerow([*about, *[None] * 7])
