"""An AsyncAPI document as one HTML page, which opens from a file and asks no network for anything.

The page holds the document and the viewer, asyncapi-viewer's, as its package ships it.
"""

from __future__ import annotations

import base64
import json
from html import escape
from importlib.metadata import distribution

from asyncapi_viewer import assets

from gate.registry import Document


def page(document: Document) -> str:
    """The page of `document`; whatever its texts hold is shown as text.

    The browser is forbidden to run any script but the viewer, and to load anything but what the page holds.
    """
    viewer = assets.static_path(assets.VIEWER_IIFE).read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src '{assets.integrity(assets.VIEWER_IIFE)}'; "
        "style-src 'unsafe-inline'; connect-src data:"
    )
    # Whoever is given the page is given the viewer, and its authors ask for this.
    licence = escape(distribution("asyncapi-viewer").read_text("licenses/LICENSE") or "")
    # In base64 nothing of the document can end the attribute, or be read as HTML.
    encoded = base64.b64encode(json.dumps(document).encode()).decode()
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(document["info"]["title"])}</title>
<style>body {{ margin: 0 }}</style>
<noscript>This page is drawn by a script that it holds itself. Allow it, or read the document as it is
published, in src/python/contracts/registry/asyncapi.</noscript>
<asyncapi-viewer sidebar src="data:application/json;base64,{encoded}"></asyncapi-viewer>
<!-- asyncapi-viewer {assets.viewer_version()}: {licence} -->
<script>{viewer}</script>
"""
