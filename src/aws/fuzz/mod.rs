//! Properties that hold for any file, answer and program output that access keys come from. The targets in `fuzz/` search for
//! counterexamples; the tests here run the seeds.
//!
//! - `files`: the configuration files, times, and what `credential_process` prints
//! - `logins`: the logins that the AWS CLI keeps, and the services that renew them
//! - `sts`: the answers of STS

mod files;
mod logins;
mod sts;

#[cfg(test)]
pub(super) use self::logins::wanted;
pub use self::{
    files::{aws_config, aws_expiry, aws_process},
    logins::aws_logins,
    sts::answers as aws_sts,
};
