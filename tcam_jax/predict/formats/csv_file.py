"""`predictions.csv`: a row a box, for spreadsheets and pandas."""

from pathlib import Path

from tcam_jax.predict.formats.record import confidences, tracks
from tcam_jax.predict.formats.records import Records
from tcam_jax.runtime.csv_rows import row_writer
from tcam_jax.runtime.files import writing_whole

FILE = "predictions.csv"

COLUMNS = (
    *("file", "frame", "time", "width", "height", "class", "probability"),
    *("x0", "y0", "x1", "y1", "score", "confidence", "track"),
)


def write(records: Records, folder: Path) -> None:
    """Write CSV, see `row_writer`; a frame without a box has one row, its last columns empty.

    Raises:
      InputError: it cannot be written.
    """
    with writing_whole(folder / FILE, newline="") as file:
        write_row = row_writer(file, "\r\n")
        write_row(COLUMNS)
        for record in records:
            about = [record[column] for column in COLUMNS[:7]]
            found = zip(
                *(record["boxes"], record["scores"], confidences(record), tracks(record)),
                strict=True,
            )
            for box, *rest in found:
                write_row([*about, *box, *rest])
            if not record["boxes"]:
                write_row([*about, *[None] * 7])
