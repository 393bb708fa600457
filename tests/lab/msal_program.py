"""MSAL for Python as a public client: ``python msal_program.py CLIENT_ID AUTHORITY MODE``, with the result as JSON.

MODE is ``device``, ``browser``, or a refresh token.
"""

from __future__ import annotations

import json
import sys

import msal

client_id, authority, mode = sys.argv[1:]
scopes = ["499b84ac-1321-427f-aa17-267ca6975798/.default"]
application = msal.PublicClientApplication(client_id, authority=authority)
if mode == "device":
    result = application.acquire_token_by_device_flow(application.initiate_device_flow(scopes))
elif mode == "browser":
    result = application.acquire_token_interactive(scopes, prompt="select_account", timeout=60)
else:
    result = application.acquire_token_by_refresh_token(mode, scopes)
accounts = [account["username"] for account in application.get_accounts()]
silent = [application.acquire_token_silent(scopes, account) for account in application.get_accounts()]
json.dump({"result": result, "accounts": accounts, "silent": silent}, sys.stdout)
