"""Managed identities: the endpoints inside Azure machines and services that issue tokens without a secret.

They are plain HTTP on loopback, never through the proxy. Their names in the log and in faults are
``imds``, ``app-service``, ``arc``, ``azure-ml`` and ``cloud-shell``.
"""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
import time

from ...loopback import LoopbackService
from ...messages import Request, Response, json_response, not_found
from ...server import Server
from .directory import AZURE_DEVOPS, Application, Directory

_IDENTITY_PATH = "/metadata/identity/oauth2/token"


class _Endpoint(LoopbackService):
    """A service that knows the identities of its machine."""

    def __init__(self, server: Server, directory: Directory) -> None:
        super().__init__(server)
        self._directory = directory
        #: The identity of requests that name none.
        self.system_assigned: Application | None = None
        self.user_assigned: list[Application] = []
        #: Lifetime of a token in seconds.
        self.lifetime = 86399

    def _token(self, resource: str | None, client_id: str | None) -> Response:
        """The token of the requested identity; 400 if there is none or several."""
        if resource != AZURE_DEVOPS:
            # Callers may confuse a scope (with /.default) with a resource.
            return _oauth_error(
                "invalid_resource", "AADSTS500011: The resource principal named {} was not found.", resource
            )
        identity = self._choose(client_id)
        if identity is None:
            return _oauth_error("invalid_request", "Identity not found", "")
        token = self._directory.application_token(identity, AZURE_DEVOPS, self.lifetime)
        return json_response(
            {
                "access_token": token,
                "client_id": identity.client_id,
                "expires_in": str(self.lifetime),
                "expires_on": str(int(time.time()) + self.lifetime),
                "ext_expires_in": str(self.lifetime),
                "not_before": str(int(time.time())),
                "resource": resource,
                "token_type": "Bearer",
            }
        )

    def _choose(self, client_id: str | None) -> Application | None:
        if client_id:
            known = self.user_assigned + ([self.system_assigned] if self.system_assigned else [])
            return next((identity for identity in known if identity.client_id == client_id), None)
        if self.system_assigned is not None:
            return self.system_assigned
        return self.user_assigned[0] if len(self.user_assigned) == 1 else None


class InstanceMetadata(_Endpoint):
    """The instance metadata service of virtual machines (IMDS)."""

    name = "imds"

    def answer(self, request: Request) -> Response:
        """``GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=...``, ``Metadata: true``."""
        if request.path != _IDENTITY_PATH:
            return not_found()
        if request.method != "GET":
            return Response(405)
        # Both protect the service against server-side request forgery.
        if (request.header("Metadata") or "").lower() != "true" or request.header("X-Forwarded-For"):
            return _oauth_error("invalid_request", "Required metadata header not specified", "")
        parameters = request.parameters
        if parameters.get("api-version") not in ("2018-02-01", "2019-08-01", "2021-02-01"):
            return _oauth_error("invalid_request", "Required query variable 'api-version' is missing", "")
        return self._token(parameters.get("resource"), parameters.get("client_id"))


class _WithSecretHeader(_Endpoint):
    """The endpoints with two variables: their URL, and a secret for a header."""

    path = ""
    version = ""
    #: The variables of the URL and the secret, the header of the secret, the parameter of the identity.
    url_variable = secret_variable = header = client_parameter = ""

    def __init__(self, server: Server, directory: Directory) -> None:
        super().__init__(server, directory)
        self.secret = secrets.token_hex(16)

    @property
    def variables(self) -> dict[str, str]:
        """The variables that the service sets."""
        return {self.url_variable: self.url + self.path, self.secret_variable: self.secret}

    def answer(self, request: Request) -> Response:
        """``GET ?api-version={version}&resource=...&{client_parameter}=...``, ``{header}: {secret}``."""
        if request.path != self.path or request.method != "GET":
            return not_found()
        if request.header(self.header) != self.secret:
            return json_response({"statusCode": 401, "message": "the secret header is missing or wrong"}, 401)
        parameters = request.parameters
        if parameters.get("api-version") != self.version:
            return json_response({"statusCode": 400, "message": "Unsupported API version"}, 400)
        return self._token(parameters.get("resource"), parameters.get(self.client_parameter))


class AppService(_WithSecretHeader):
    """App Service, Functions and Container Apps."""

    name, path, version = "app-service", "/msi/token", "2019-08-01"
    url_variable, secret_variable = "IDENTITY_ENDPOINT", "IDENTITY_HEADER"
    header, client_parameter = "X-IDENTITY-HEADER", "client_id"


class MachineLearning(_WithSecretHeader):
    """Azure Machine Learning compute."""

    name, path, version = "azure-ml", "/MSI/auth", "2017-09-01"
    url_variable, secret_variable = "MSI_ENDPOINT", "MSI_SECRET"
    header, client_parameter = "secret", "clientid"


class Arc(_Endpoint):
    """Azure Arc: the caller proves that it can read a file of the agent."""

    name = "arc"

    def __init__(self, server: Server, directory: Directory) -> None:
        super().__init__(server, directory)
        self._temporary = tempfile.TemporaryDirectory(prefix="lab-arc-")
        #: Directory of the key files; that of the real agent is /var/opt/azcmagent/tokens.
        self.key_directory = self._temporary.name
        #: Content of the key file, if not a new secret of the usual size.
        self.key_content: str | None = None
        #: Content of the challenge, if not the path of the key file.
        self.realm: str | None = None
        self._expected: str | None = None

    @property
    def variables(self) -> dict[str, str]:
        """The variables that the agent sets."""
        return {"IDENTITY_ENDPOINT": self.url + _IDENTITY_PATH, "IMDS_ENDPOINT": self.url}

    def answer(self, request: Request) -> Response:
        """First 401 with the key file's path, then the token for its content."""
        if request.path != _IDENTITY_PATH or request.method != "GET":
            return not_found()
        if (request.header("Metadata") or "").lower() != "true":
            return _oauth_error("invalid_request", "Required metadata header not specified", "")
        parameters = request.parameters
        if parameters.get("api-version") not in ("2019-11-01", "2020-06-01"):
            return _oauth_error("invalid_request", "Unsupported API version", "")
        scheme, _, shown = (request.header("Authorization") or "").partition(" ")
        if self._expected is None or scheme != "Basic" or shown != self._expected:
            return self._challenge()
        self._expected = None
        return self._token(parameters.get("resource"), parameters.get("client_id"))

    def _challenge(self) -> Response:
        self._expected = self.key_content or secrets.token_hex(32)
        path = os.path.join(self.key_directory, secrets.token_hex(8) + ".key")
        os.makedirs(self.key_directory, exist_ok=True)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(self._expected)
        return Response(401, [("WWW-Authenticate", "Basic realm=" + (self.realm or path))])

    def close(self) -> None:
        """Stop listening, and remove the key files."""
        super().close()
        self._temporary.cleanup()


class CloudShell(_Endpoint):
    """Azure Cloud Shell. Its token is that of its user."""

    name = "cloud-shell"

    def __init__(self, server: Server, directory: Directory) -> None:
        super().__init__(server, directory)
        #: The user of the shell; None issues the application token of `system_assigned`.
        self.user = None

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the shell."""
        return {"MSI_ENDPOINT": self.url + "/oauth2/token"}

    def answer(self, request: Request) -> Response:
        """``POST`` with a form of ``resource=...``, ``Metadata: true``."""
        if request.path != "/oauth2/token" or request.method != "POST":
            return not_found()
        if (request.header("Metadata") or "").lower() != "true":
            return _oauth_error("invalid_request", "Required metadata header not specified", "")
        answer = self._token(request.form.get("resource"), None) if self.user is None else None
        if answer is not None:
            return answer
        return json_response(
            {
                "access_token": self._directory.user_token(self.user),
                "expires_in": "3599",
                "expires_on": str(int(time.time()) + 3599),
                "resource": request.form.get("resource"),
                "token_type": "Bearer",
            }
        )


class Metadata:
    """All of them."""

    def __init__(self, server: Server, directory: Directory) -> None:
        self.imds = InstanceMetadata(server, directory)
        self.app_service = AppService(server, directory)
        self.arc = Arc(server, directory)
        self.azure_ml = MachineLearning(server, directory)
        self.cloud_shell = CloudShell(server, directory)
        # Bound but not listening: connections are refused at once, and the port stays reserved.
        self._nowhere = socket.socket()
        self._nowhere.bind(("127.0.0.1", 0))
        self._black_hole: list[socket.socket] = []

    @property
    def nowhere(self) -> str:
        """An address where connections are refused, as on a machine outside Azure."""
        return f"http://127.0.0.1:{self._nowhere.getsockname()[1]}"

    @property
    def black_hole(self) -> str:
        """An address where connecting hangs, as behind a firewall that drops packets (Linux).

        A listener with a full queue: the kernel drops further attempts.
        """
        if not self._black_hole:
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            self._black_hole.append(listener)
            for _ in range(4):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
                self._black_hole.append(filler)
        return f"http://127.0.0.1:{self._black_hole[0].getsockname()[1]}"

    def close(self) -> None:
        """Stop listening."""
        self._nowhere.close()
        for one in self._black_hole:
            one.close()
        for endpoint in (self.imds, self.app_service, self.arc, self.azure_ml, self.cloud_shell):
            endpoint.close()


def _oauth_error(error: str, text: str, detail: str | None) -> Response:
    return json_response({"error": error, "error_description": text.format(detail)}, 400)
