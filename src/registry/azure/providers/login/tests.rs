//! Tests of the silent provider.
