//! The listener that a browser is redirected to.

use super::OsSystem;
use crate::{
    error::{Error, Kind, Result},
    system::loopback::{Loopback, LoopbackListener},
};

impl Loopback for OsSystem {
    fn listen(&self) -> Result<Box<dyn LoopbackListener>> {
        Err(Error::new(Kind::Internal, "to do"))
    }
}
