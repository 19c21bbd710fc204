"""Whom to talk to, and whether others can listen."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fanfold.runtimes.cluster.errors import ClusterError, InsecureAddress

if TYPE_CHECKING:
    from distributed import Security

SCHEMES = ("tcp", "tls")


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """Certificates for both directions: each side proves to the other that the same authority signed its own.

    Attributes:
        ca: PEM file of the authority's certificate.
        cert: PEM file of this side's certificate.
        key: PEM file of its key.
    """

    ca: Path
    cert: Path
    key: Path

    def __post_init__(self) -> None:
        for name in ("ca", "cert", "key"):
            file = Path(getattr(self, name))
            object.__setattr__(self, name, file)
            if not file.is_file():
                raise ClusterError(f"there is no {name} file {file}", hint=f"pass the PEM file as {name}=")


def checked(address: str, *, tls: bool) -> str:
    """An address that may be talked to.

    Raises:
        ClusterError: it is no address of a scheduler or worker.
        InsecureAddress: it is on another machine, or may be, and there is no TLS.
    """
    parts = urlsplit(address)
    if parts.scheme not in SCHEMES or not parts.hostname or _port(parts.netloc) is None:
        raise ClusterError(f"{address!r} is no address of a cluster", hint="write tcp://127.0.0.1:8786, say")
    if parts.scheme == "tls" and not tls:
        raise ClusterError(f"{address} needs certificates", hint="pass tls=TLS(ca=..., cert=..., key=...)")
    if parts.scheme == "tcp" and tls:
        raise InsecureAddress(f"{address} is without TLS, and certificates were given", hint="write tls://")
    if parts.scheme == "tcp" and not is_loopback(parts.hostname):
        raise InsecureAddress(
            f"{address} is not on this machine and has no TLS: whoever is in between could read all and run anything",
            hint="start scheduler and workers with --tls-ca-file, --tls-cert and --tls-key, and pass tls=",
        )
    return address


def is_loopback(host: str) -> bool:
    """Whether a host is this machine for sure: other names aren't looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def security_of(tls: TLS | None) -> Security:
    """How Dask connects: with these certificates and never without encryption, or as on loopback."""
    from distributed import Security  # noqa: PLC0415 an extra

    return Security(**settings_of(tls))  # type: ignore[no-untyped-call]


def settings_of(tls: TLS | None) -> dict[str, Any]:
    """The same as plain data."""
    if tls is None:
        return {"require_encryption": False}
    files = {"tls_ca_file": str(tls.ca)}
    for role in ("client", "scheduler", "worker"):
        files |= {f"tls_{role}_cert": str(tls.cert), f"tls_{role}_key": str(tls.key)}
    return {"require_encryption": True, **files}


def _port(netloc: str) -> int | None:
    port = netloc.rpartition(":")[2]
    return int(port) if port.isdecimal() else None
