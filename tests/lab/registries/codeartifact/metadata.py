"""The services on machines and in containers of AWS that hand out the access keys of their role.

They are plain HTTP on loopback, never through the proxy. Their names in the log and in faults are ``ec2`` and
``container``. ``cloud.metadata`` has addresses where nothing listens or answers.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

from __future__ import annotations

import secrets
import uuid

from ...clock import iso_time
from ...loopback import LoopbackService
from ...messages import SILENCE, Request, Response, json_response
from ...server import Server
from .accounts import AccessKey
from .service import Account

_ZONE = "/latest/meta-data/placement/availability-zone"
_ROLES = "/latest/meta-data/iam/security-credentials/"


class _Endpoint(LoopbackService):
    """A service that gives out the access key of a role."""

    def __init__(self, server: Server, aws: Account) -> None:
        super().__init__(server)
        self._aws = aws
        #: The access key of the role; None without a role.
        self.key: AccessKey | None = None

    def _mistake(self, text: str) -> None:
        self._aws.mistakes.append(f"{self.name}: {text}")


class InstanceMetadata(_Endpoint):
    """The instance metadata service, which requires the tokens of its version 2."""

    name = "ec2"

    def __init__(self, server: Server, aws: Account) -> None:
        super().__init__(server, aws)
        self.role_name = "builders"
        #: ``Code`` and ``Message`` instead of an access key.
        self.failure: tuple[str, str] | None = None
        #: Whether the answer with the token cannot reach the client, as in a container with a hop limit of 1.
        self.is_beyond_hop_limit = False
        self._tokens: set[str] = set()

    @property
    def variables(self) -> dict[str, str | None]:
        """The variables that lead clients here."""
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url, "AWS_EC2_METADATA_DISABLED": None}

    def answer(self, request: Request) -> Response:
        """``PUT /latest/api/token``, then the role's name, then its access key."""
        if request.header("X-Forwarded-For"):
            return Response(403)
        if request.path == "/latest/api/token":
            return self._token(request)
        if request.method != "GET":
            return Response(405)
        if request.header("x-aws-ec2-metadata-token") not in self._tokens:
            self._mistake("no token")
            return Response(401)
        if request.path == _ZONE:
            return Response(200, [("Content-Type", "text/plain")], b"eu-central-1b")
        if not f"{request.path}/".startswith(_ROLES) or self.key is None:
            return Response(404)
        wanted = request.path[len(_ROLES) :]
        if not wanted:
            return Response(200, [("Content-Type", "text/plain")], self.role_name.encode())
        return self._key() if wanted == self.role_name else Response(404)

    def _token(self, request: Request) -> Response:
        if self.is_beyond_hop_limit:
            return Response(None, ending=SILENCE)
        lifetime = request.header("x-aws-ec2-metadata-token-ttl-seconds", "")
        if request.method != "PUT" or not lifetime.isdigit() or not 1 <= int(lifetime) <= 21600:
            self._mistake("a wrong request for a token")
            return Response(400)
        token = secrets.token_urlsafe(40) + "=="
        self._tokens.add(token)
        headers = [("Content-Type", "text/plain"), ("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", lifetime)]
        return Response(200, headers, token.encode())

    def _key(self) -> Response:
        now = iso_time(self._aws.clock.now())
        if self.failure is not None:
            code, message = self.failure
            return json_response({"Code": code, "Message": message, "LastUpdated": now})
        return json_response({"Code": "Success", "LastUpdated": now, "Type": "AWS-HMAC", **_fields(self.key)})


class ContainerCredentials(_Endpoint):
    """The service of ECS tasks and of EKS Pod Identity."""

    name = "container"
    _PATH = "/v1/credentials"

    def __init__(self, server: Server, aws: Account) -> None:
        super().__init__(server, aws)
        #: The value of the header Authorization; None if none is needed.
        self.authorization: str | None = None

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the container."""
        leading = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": self.url + self._PATH}
        if self.authorization is None:
            return leading
        return {**leading, "AWS_CONTAINER_AUTHORIZATION_TOKEN": self.authorization}

    def answer(self, request: Request) -> Response:
        """``GET`` with the header."""
        if request.path != self._PATH or request.method != "GET":
            self._mistake(f"{request.method} {request.target}")
            return json_response({"code": "NotFoundException", "message": "no such path"}, 404)
        if self.authorization is not None and request.header("Authorization") != self.authorization:
            return json_response({"code": "AccessDeniedException", "message": "the token is not valid"}, 401)
        if self.key is None:
            return json_response({"code": "ResourceNotFoundException", "message": "the task has no role"}, 404)
        return json_response({"RoleArn": self.key.principal, **_fields(self.key)})


def pod_identity_token() -> str:
    """The content of a token file of EKS Pod Identity."""
    return f"eyJhbGciOiJSUzI1NiIs{uuid.uuid4().hex}.{secrets.token_urlsafe(200)}"


def _fields(key: AccessKey) -> dict[str, object]:
    return {
        "AccessKeyId": key.id,
        "SecretAccessKey": key.secret,
        "Token": key.session_token,
        "Expiration": iso_time(key.expires),
    }
