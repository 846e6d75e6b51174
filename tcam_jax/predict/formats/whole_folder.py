"""A folder of results that is whole or not there."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import cannot_write, temporary_name

_OURS = (".txt", ".yaml")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write text files to, which takes the name `folder` when all is well.

    Earlier results of that name are replaced.

    Raises:
      InputError: it cannot be written, two results have one name, or there are files in `folder`
        that no result is: they would be lost.
    """
    temporary = temporary_name(folder)
    earlier = temporary_name(temporary)
    for path in folder.rglob("*"):
        if path.suffix not in _OURS and not path.is_dir():
            raise InputError(
                f"{folder} is to be replaced and has a file that is no result, {path}: move it "
                "elsewhere, or choose another --output."
            )
    try:
        for rest in (temporary, earlier):
            shutil.rmtree(rest, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        if folder.exists():
            folder.rename(earlier)
        temporary.rename(folder)
        shutil.rmtree(earlier, ignore_errors=True)
    except FileExistsError as error:
        raise InputError(
            f"two results would have the name {error.filename}; rename one of their files."
        ) from error
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
