from typing import Optional

__all__ = ["__version__", "get_credential"]

__version__: str

def get_credential(backend: str, service: object, username: Optional[object] = None) -> Optional[tuple[str, str]]: ...
