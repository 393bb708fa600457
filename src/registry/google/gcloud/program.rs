//! gcloud itself, run for an access token.
