"""Azure DevOps Artifacts and what surrounds it: Entra, session tokens, OIDC issuers, managed identities."""
