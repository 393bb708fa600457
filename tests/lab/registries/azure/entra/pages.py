"""The HTML pages of the practice sign-in, plain enough for a test that reads forms."""

from __future__ import annotations

import html

from ....messages import Response, html_response

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1>{problem}{body}</body></html>"""
_STEP = '<form method="post" action="{action}">{inputs}{buttons}</form>'


def sign_in_page(action: str, username: str, problem: str = "") -> Response:
    """User name and password; ``username`` is filled in."""
    inputs = (
        f'<input id="username" name="login" autocomplete="off" value="{html.escape(username)}">'
        '<input id="password" name="passwd" type="password" autocomplete="off">'
    )
    return _step("Sign in to your account", action, inputs, (("sign-in", "Sign in"), ("cancel", "Cancel")), problem)


def one_time_code_page(action: str, problem: str = "") -> Response:
    """The second factor."""
    inputs = '<input id="code" name="otc" autocomplete="off">'
    return _step("Enter code", action, inputs, (("verify", "Verify"), ("cancel", "Cancel")), problem)


def consent_page(action: str, application: str) -> Response:
    """What the application wants."""
    shown = f"<p>{html.escape(application)} wants to act as you in Azure DevOps.</p>"
    return _step("Permissions requested", action, shown, (("accept", "Accept"), ("decline", "Decline")))


def error_page(description: str) -> Response:
    """An error that Entra shows to the person, and not to the application."""
    body = f'<p id="error">{html.escape(description)}</p>'
    return html_response(
        _PAGE.format(title="Sign in", problem="<p>Sorry, but we're having trouble signing you in.</p>", body=body)
    )


def form_post_page(redirect_uri: str, fields: dict[str, str]) -> Response:
    """Sends ``fields`` to the redirect URI by itself (OAuth 2.0 Form Post Response Mode)."""
    inputs = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in fields.items()
    )
    body = (
        f'<form id="post" method="POST" action="{html.escape(redirect_uri)}">{inputs}'
        '<noscript><input type="submit" value="Continue"></noscript></form>'
        '<script>document.getElementById("post").submit();</script>'
    )
    headers = [("Cache-Control", "no-store"), ("Referrer-Policy", "strict-origin-when-cross-origin")]
    return html_response(_PAGE.format(title="Working...", problem="", body=body), headers=headers)


def _step(title: str, action: str, inputs: str, choices: tuple[tuple[str, str], ...], problem: str = "") -> Response:
    buttons = "".join(
        f'<button id="{value}" type="submit" name="choice" value="{value}">{label}</button>' for value, label in choices
    )
    shown = f'<p id="problem">{html.escape(problem)}</p>' if problem else ""
    step = _STEP.format(action=html.escape(action), inputs=inputs, buttons=buttons)
    return html_response(_PAGE.format(title=title, problem=shown, body=step))
