"""The practice cloud: what Google's services refuse, and what they call a mistake of the client."""

from __future__ import annotations
