//! Exchanges the access token of one account for that of a service account that it may impersonate.
//! <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken>
