"""management.azure.com: the part of the resource manager that `az login` uses."""

from __future__ import annotations

from ... import tokens
from ...messages import Request, Response, json_response, not_found
from ...sites import Sites
from .directory import Directory, identifier

HOST = "management.azure.com"


class Management:
    """Tenants and subscriptions of the caller."""

    def __init__(self, sites: Sites, directory: Directory) -> None:
        self.directory = directory
        sites.add(HOST, self.answer)

    def answer(self, request: Request) -> Response:
        """Dispatch by path, for a valid bearer."""
        claims = tokens.verify(request.bearer or "")
        if claims is None or "management" not in str(claims.get("aud")):
            error = {"code": "AuthenticationFailed", "message": "Authentication failed."}
            return json_response({"error": error}, 401, [("WWW-Authenticate", "Bearer")])
        if request.segments == ["tenants"]:
            return json_response({"value": [self._describe_tenant(tenant) for tenant in self._tenants(claims)]})
        if request.segments == ["subscriptions"]:
            return json_response({"value": self._subscriptions(claims), "count": {"type": "Total", "value": 1}})
        return not_found()

    def _tenants(self, claims: dict) -> list:
        user = self.directory.user_of(claims)
        if user:
            return user.tenants
        return [tenant for tenant in self.directory.tenants if tenant.id == claims.get("tid")]

    def _describe_tenant(self, tenant) -> dict:
        return {
            "id": "/tenants/" + tenant.id,
            "tenantId": tenant.id,
            "countryCode": "NL",
            "displayName": tenant.domain,
            "domains": [tenant.domain],
            "tenantCategory": "Home",
            "defaultDomain": tenant.domain,
            "tenantType": "AAD",
        }

    def _subscriptions(self, claims: dict) -> list:
        tenant_id = claims["tid"]
        subscription = identifier("subscription of " + tenant_id)
        return [
            {
                "id": "/subscriptions/" + subscription,
                "authorizationSource": "RoleBased",
                "managedByTenants": [],
                "subscriptionId": subscription,
                "tenantId": tenant_id,
                "displayName": "Practice subscription",
                "state": "Enabled",
                "subscriptionPolicies": {
                    "locationPlacementId": "Public_2014-09-01",
                    "quotaId": "PayAsYouGo_2014-09-01",
                    "spendingLimit": "Off",
                },
            }
        ]
