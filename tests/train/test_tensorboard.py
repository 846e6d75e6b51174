"""Events are on disk once flushed, and what cannot be written is the caller's error, at once."""

import os

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from tcam_jax.train.tensorboard import Events


def _events(path) -> list[Event]:
    """Read records: length, its check, the event, its check."""
    content, found = path.read_bytes(), []
    while content:
        size = int.from_bytes(content[:8], "little")
        found.append(Event.FromString(content[12 : 12 + size]))
        content = content[16 + size :]
    return found


def test_what_was_flushed_is_there(tmp_path):
    events = Events(tmp_path, purge_step=7)
    events.scalars(8, {"loss": 0.5, "time/save": 2.0})
    events.picture(8, "maps", np.full((2, 3, 3), 9, np.uint8))
    events.flush()
    (path,) = tmp_path.iterdir()
    version, purge, loss, saved, maps = _events(path)
    assert version.file_version == "brain.Event:2" and purge.step == 7
    assert purge.session_log.status == purge.session_log.START
    values = {e.summary.value[0].tag: e.summary.value[0].simple_value for e in (loss, saved)}
    assert values == {"loss": 0.5, "time/save": 2.0} and loss.step == maps.step == 8
    assert (maps.summary.value[0].image.height, maps.summary.value[0].image.width) == (2, 3)


def test_a_full_disk_is_the_callers_error_and_closing_is_none(tmp_path):
    events = Events(tmp_path)
    (path,) = tmp_path.iterdir()
    os.dup2(os.open("/dev/full", os.O_WRONLY), events._file._writer.fileno())
    with pytest.raises(OSError, match="No space left"):
        events.scalars(1, {"loss": 0.5})
    events.close()
