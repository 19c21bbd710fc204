"""The Redis server that holds the cache: how it is connected to, and what went wrong with it in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.config.secret import Secret
from fanfold.config.settings import ConfigError
from fanfold.redact import redact
from fanfold.troubleshoot.sources.logs.line import clean
from fanfold.troubleshoot.sources.logs.settings import RedisSettings
from fanfold.troubleshoot.sources.protocol import SourceError

if TYPE_CHECKING:
    from redis.asyncio import Redis


def client_of(settings: RedisSettings) -> Redis:
    """What talks to the server; nothing is sent yet.

    Raises:
        SourceError: a secret or a file of certificates can't be read, or redis isn't installed.
    """
    try:
        from redis.asyncio import Redis  # noqa: PLC0415 heavy
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import ConstantBackoff  # noqa: PLC0415
        from redis.exceptions import RedisError  # noqa: PLC0415
    except ImportError:
        raise SourceError("redis is not installed", hint='install "fanfold[troubleshoot]"') from None
    try:
        url = settings.url.reveal() if isinstance(settings.url, Secret) else settings.url
        password = settings.password.reveal() if settings.password else None
    except ConfigError as error:
        raise SourceError(error.message, hint=error.hint) from None
    if "?" in url:
        raise SourceError(
            f"the address in {settings.url} has options, which could turn off that certificates are verified",
            hint="let it end with the number of the database",
        )
    more: dict[str, Any] = _tls(settings) if url.startswith("rediss:") else {}
    if password is not None:
        more["password"] = password
    if settings.user is not None:
        more["username"] = settings.user
    try:
        return Redis.from_url(
            url,
            socket_timeout=settings.request_timeout_s,
            socket_connect_timeout=settings.request_timeout_s,
            retry=Retry(ConstantBackoff(0.05), 1),
            protocol=2,
            **more,
        )
    except (ValueError, TypeError, OSError, RedisError):
        raise SourceError(
            f"{settings.place}: its address can't be used", hint="write it as redis://host:6379/0"
        ) from None


def _tls(settings: RedisSettings) -> dict[str, Any]:
    settings.trust()  # what is wrong with the files is said when the source opens, and not as a broken connection
    files = {
        "ssl_ca_certs": settings.ca_file,
        "ssl_certfile": settings.certificate,
        "ssl_keyfile": settings.key or settings.certificate,
    }
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True} | {
        name: str(path) for name, path in files.items() if path
    }


class Clearly:
    """What went wrong at the server, in words of its own; never with what was sent to it."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _where: object) -> None:
        if error is None:
            return
        from redis import exceptions  # noqa: PLC0415

        if isinstance(error, (exceptions.AuthenticationError, exceptions.NoPermissionError)):
            raise SourceError(
                f"{self._place} refuses: wrong user or password, or no right to this",
                hint="check user and password; reading takes the rights of ZREVRANGEBYSCORE and ZRANGE",
            ) from None
        if isinstance(error, (exceptions.TimeoutError, TimeoutError)):
            raise SourceError(
                f"{self._place} does not answer in time", hint="look at its load, or raise request_timeout_s"
            ) from None
        if isinstance(error, exceptions.ResponseError):
            raise SourceError(
                f"{self._place} refuses: {clean(redact(str(error)))[:200]}",
                hint="look whether the keys under the prefix are the cache's, and whether the server has memory left",
            ) from None
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise SourceError(
                f"{self._place} shows a certificate that can't be trusted: {clean(redact(str(error)))[-200:]}",
                hint="set ca_file to the certificates of who signed it, and url to a name that it is made out to",
            ) from None
        if "alert" in str(error) and "certificate" in str(error):
            raise SourceError(
                f"{self._place} wants a certificate of who asks", hint="set certificate and key to one that it trusts"
            ) from None
        if isinstance(error, (exceptions.RedisError, OSError)):
            raise SourceError(
                f"{self._place} can't be reached: {clean(redact(str(error)))[:200]}",
                hint="start the server, or correct its address in the configuration",
            ) from None
