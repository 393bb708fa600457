"""The files of a person of Google, as gcloud, the Console and google-github-actions/auth write them.

https://cloud.google.com/docs/authentication/application-default-credentials
https://google.aip.dev/auth/4117
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from ..azure.oidc import WorkflowJob
from .accounts import UNIVERSE, Login, ServiceAccount, ServiceAccountKey
from .federation import Provider
from .sts import TOKEN_URL

#: Where AWS's machines hand out keys. google-auth takes any address; ringbearer only this one.
_AWS = "http://169.254.169.254/latest"
_AWS_VERIFICATION = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"


class GoogleFiles:
    """The files below a home directory."""

    def __init__(self, home: object) -> None:
        self.home = Path(str(home))
        #: gcloud's configuration.
        self.directory = self.home / ("AppData/Roaming/gcloud" if os.name == "nt" else ".config/gcloud")

    def write_application_default(self, content: Mapping[str, object]) -> Path:
        """The file of ``gcloud auth application-default login``."""
        return self._write(self.directory / "application_default_credentials.json", json.dumps(content, indent=2))

    def write_login(self, login: Login | ServiceAccountKey, configuration: str = "default", **properties: str) -> Path:
        """What ``gcloud auth login`` and ``activate-service-account`` write: the file of an account, now active.

        Properties are those of the configuration, as ``auth__impersonate_service_account``.
        """
        self.write_configuration(configuration, core__account=login.email, **properties)
        self.activate(configuration)
        folder = self.directory / "legacy_credentials" / login.email
        content = {**login.file}
        # gcloud writes only what it needs.
        content.pop("account", None)
        return self._write(folder / "adc.json", json.dumps(content, indent=2))

    def write_configuration(self, name: str, **properties: str) -> Path:
        """A configuration, by properties such as ``core__account``."""
        sections: dict[str, list[str]] = {}
        for key, value in properties.items():
            section, _, option = key.partition("__")
            sections.setdefault(section, []).append(f"{option} = {value}")
        text = "".join(f"[{section}]\n" + "\n".join(lines) + "\n\n" for section, lines in sections.items())
        return self._write(self.directory / "configurations" / f"config_{name}", text)

    def activate(self, configuration: str) -> Path:
        """The name of the active configuration."""
        return self._write(self.directory / "active_config", configuration)

    def write(self, content: Mapping[str, object] | str, name: str = "credentials.json") -> Path:
        """A file that a variable, or another file, names: a document, or a text such as a subject token."""
        text = content if isinstance(content, str) else json.dumps(content, indent=2)
        return self._write(self.home / "credentials" / name, text)

    def write_action(self, content: Mapping[str, object]) -> tuple[Path, dict[str, str]]:
        """The file of google-github-actions/auth in a workspace, and the variables that the action exports."""
        path = self._write(self.home / "work" / f"gha-creds-{secrets.token_hex(8)}.json", json.dumps(content))
        return path, action_variables(path)

    def _write(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.chmod(path, 0o600)
        return path


def action_variables(path: object) -> dict[str, str]:
    """The variables that google-github-actions/auth exports with a file."""
    files = ("CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_GHA_CREDS_PATH")
    projects = ("CLOUDSDK_CORE_PROJECT", "CLOUDSDK_PROJECT", "GCLOUD_PROJECT", "GCP_PROJECT", "GOOGLE_CLOUD_PROJECT")
    return {**dict.fromkeys(files, str(path)), **dict.fromkeys(projects, "contoso-tools")}


def external_account(
    provider: Provider,
    source: Mapping[str, object],
    target: ServiceAccount | None = None,
    token_type: str | None = None,
    **more: object,
) -> dict[str, object]:
    """An ``external_account``, with the service account that it impersonates, if any."""
    content: dict[str, object] = {
        "universe_domain": UNIVERSE,
        "type": "external_account",
        "audience": provider.audience,
        "subject_token_type": token_type or provider.token_type,
        "token_url": TOKEN_URL,
        "credential_source": source,
    }
    if target is not None:
        content["service_account_impersonation_url"] = target.impersonation_url
    if provider.client is not None:
        content.update({"client_id": provider.client.id, "client_secret": provider.client.secret})
    return {**content, **more}


def file_source(path: object, field: str | None = None) -> dict[str, object]:
    """A file with the subject token: its text, or a field of its JSON."""
    return {"file": str(path), **_format(field)}


def url_source(url: str, headers: Mapping[str, str] | None = None, field: str | None = None) -> dict[str, object]:
    """A URL that answers with the subject token."""
    return {"url": url, **({"headers": dict(headers)} if headers else {}), **_format(field)}


def job_source(job: WorkflowJob, provider: Provider) -> dict[str, object]:
    """The identity tokens of a job, as google-github-actions/auth describes them."""
    url = f"{job.url}&audience={provider.token_audience}"
    return url_source(url, {"Authorization": f"Bearer {job.request_token}"}, "value")


def executable_source(command: str, timeout: int = 5000, output_file: object = None) -> dict[str, object]:
    """A program that prints the subject token; milliseconds."""
    executable: dict[str, object] = {"command": command, "timeout_millis": timeout}
    if output_file is not None:
        executable["output_file"] = str(output_file)
    return {"executable": executable}


def executable_output(token: str, token_type: str, expires: float | None = None) -> dict[str, object]:
    """The output of such a program, as JSON."""
    field = "saml_response" if token_type.endswith("saml2") else "id_token"
    printed: dict[str, object] = {"version": 1, "success": True, "token_type": token_type, field: token}
    return printed if expires is None else {**printed, "expiration_time": int(expires)}


def executable_failure(code: str = "401", message: str = "Caller not authorized.") -> dict[str, object]:
    """Its output without a token."""
    return {"version": 1, "success": False, "code": code, "message": message}


def aws_source(base: str = _AWS) -> dict[str, object]:
    """The access key of AWS, in the environment or of a machine whose metadata service is at ``base``."""
    return {
        "environment_id": "aws1",
        "region_url": f"{base}/meta-data/placement/availability-zone",
        "url": f"{base}/meta-data/iam/security-credentials",
        "regional_cred_verification_url": _AWS_VERIFICATION,
        "imdsv2_session_token_url": f"{base}/api/token",
    }


def impersonated(
    source: Mapping[str, object], target: ServiceAccount, *delegates: ServiceAccount, **more: object
) -> dict[str, object]:
    """What ``gcloud auth application-default login --impersonate-service-account`` writes."""
    return {
        "delegates": [f"projects/-/serviceAccounts/{one.email}" for one in delegates],
        "service_account_impersonation_url": target.impersonation_url,
        "source_credentials": dict(source),
        "type": "impersonated_service_account",
        "universe_domain": UNIVERSE,
        **more,
    }


def _format(field: str | None) -> dict[str, object]:
    return {} if field is None else {"format": {"type": "json", "subject_token_field_name": field}}
