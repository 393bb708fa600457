//! The programs of the tools on this machine.
//!
//! - `beside`: the packages in the environment of a Python program
//! - `launcher`: the interpreter that a launcher on Windows names
//! - `shim`: the program that a shim of pyenv runs

pub(super) mod beside;
pub(super) mod launcher;
pub(super) mod shim;
