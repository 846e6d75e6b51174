"""Serves the page of `page`, and leaves no files behind."""

import os
import signal
import tempfile
import time
from functools import cache
from typing import TYPE_CHECKING

from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.terminal import say

if TYPE_CHECKING:
    import gradio


def serve(page: "gradio.Blocks", host: str, port: int, wait: bool = True) -> str:
    """Serve the page until it is stopped; return its address where that is not waited for.

    Raises:
      InputError: the address cannot be served.
    """
    import gradio

    # The reader's own fonts, no links, no statistics: nothing is fetched from elsewhere.
    theme = gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            prevent_thread_lock=True,
            theme=theme,
            footer_links=[],
            share=False,
            ssr_mode=False,  # whatever GRADIO_SSR_MODE says: CVE-2026-134825
            quiet=True,
            show_error=True,
        )
    except OSError as error:  # its words are of Gradio's own functions
        raise InputError(
            f"--host={host} --port={port} cannot be served: the port is in use or not allowed, or "
            "the address is not this machine's; another --port= may be free."
        ) from error
    if wait:
        say(f"Open {str(address).rstrip('/')} (Ctrl-C ends it)")
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # files are deleted then too
        try:
            while page.is_running:
                time.sleep(0.2)
        except KeyboardInterrupt:
            page.close(verbose=False)
    return str(address)


def folder_of_pages() -> str:
    """Return the folder of what is uploaded to this process's pages and drawn for them.

    It is gone when the process ends. Gradio, where it is not yet imported, keeps to it.
    """
    os.environ["GRADIO_TEMP_DIR"] = _folder().name
    return _folder().name


@cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="tcam_app", ignore_cleanup_errors=True)
