//! Tests of the sign-in with a browser.
