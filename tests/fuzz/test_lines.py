"""Lines of predictions: all of them in every format, or one refusal; what is finished stays so."""

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tcam_jax.predict.formats.records import Records
from tcam_jax.predict.formats.registry import FORMATS, convert
from tcam_jax.predict.result_folder import FINISHED, RECORDS, SETTINGS, ResultFolder
from tests.fuzz import damage, outcome
from tests.predict.formats.lines import IMAGES, VIDEO

LINES = [*IMAGES, *VIDEO]


def _content(lines) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _converted(content: bytes):
    """The number of frames in COCO's file; every format is written."""
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place), Path(place, "out")
        (folder / RECORDS).write_bytes(content)
        records = outcome.of(lambda: Records([folder / RECORDS]))
        if isinstance(records, outcome.Refused):
            return records
        for name in FORMATS:
            outcome.of(lambda name=name: convert(records, out, [name]))
        return len(json.loads((out / "coco.json").read_text())["images"])


@outcome.examples(60)
@given(st.permutations(LINES), st.data())
def test_of_predictions(lines, data):
    assert _converted(_content(lines)) == len(lines)
    made = data.draw(damage.json_of(lines))
    if isinstance(made, list):
        kept = _converted(_content(made))
        assert isinstance(kept, outcome.Refused) or kept == len(made)
    _converted(data.draw(damage.bytes_of(_content(lines))))
    cut = data.draw(damage.cut(_content(lines)))
    kept = _converted(cut)
    assert isinstance(kept, outcome.Refused) or (cut.endswith(b"\n") and kept == cut.count(b"\n"))


def _finish(folder: Path) -> int:
    """Predict what is not finished; how many files that is."""
    done = 0
    with ResultFolder(folder, {"tau": 0.5, "classes": ["a"]}) as results:
        for name in "abc":
            if not results.is_finished(Path(name)):
                for number in range(2):
                    results.write({"file": name, "frame": number})
                results.finish(name, 1, 2, None)
                done += 1
    return done


@outcome.examples(40)
@given(st.sampled_from([RECORDS, FINISHED, SETTINGS]), st.data())
def test_a_folder_of_results_goes_on(name, data):
    """Whatever was lost is done again: each frame is there once in the end."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _finish(folder)
        whole = (folder / RECORDS).read_bytes()
        content = (folder / name).read_bytes()
        if data.draw(st.booleans()):
            made = data.draw(damage.cut(content) | damage.bytes_of(content))
        else:
            lines = [json.loads(line) for line in content.splitlines()] if name != SETTINGS else []
            made = data.draw(damage.json_of(lines or json.loads(content)))
            made = _content(made) if lines and isinstance(made, list) else json.dumps(made).encode()
        (folder / name).write_bytes(made)
        again = outcome.of(lambda: _finish(folder))
        if isinstance(again, outcome.Refused):
            assert name == SETTINGS
            return
        if name != RECORDS:  # of a line there, nothing tells which frame it was of
            lines = (folder / RECORDS).read_bytes().splitlines()
            assert sorted(lines) == sorted(whole.splitlines())
        assert _finish(folder) == 0
