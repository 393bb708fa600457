//! A connection to the named pipe of Windows' OpenSSH agent.
//!
//! A pipe opened as a file has no timeouts: each read and write runs in a thread, abandoned when the limit passes.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    sync::mpsc,
    thread,
};

use super::{Address, Failure, Stream, Wait};
use crate::system::agent::START_SERVICE;

/// The pipe of Windows' OpenSSH agent.
pub(super) const DEFAULT_ADDRESS: Option<&str> = Some(r"\\.\pipe\openssh-ssh-agent");

/// `ERROR_PIPE_BUSY`: every instance of the pipe is in use; one may be free soon.
const PIPE_BUSY: i32 = 231;

/// `SECURITY_IDENTIFICATION`: the server may learn who its client is, and not act as them. Without it, any program that
/// serves the pipe could.
#[cfg(windows)]
const IDENTIFICATION: u32 = 0x0001_0000;

pub(super) struct Pipe(pub(super) File);

/// Opens the pipe; waits while it is busy.
pub(super) fn connect(address: &str, wait: &Wait<'_>) -> Result<Pipe, Failure> {
    let options = options();
    loop {
        match options.open(address) {
            Ok(pipe) if is_pipe(&pipe) => return Ok(Pipe(pipe)),
            // The message would be written into a file of this name.
            Ok(_) => return Err(Failure::Unreachable(io::Error::other("not a pipe"))),
            Err(error) if error.raw_os_error() == Some(PIPE_BUSY) => thread::sleep(wait.next_block()?),
            Err(error) => return Err(Failure::Unreachable(error)),
        }
    }
}

/// How the pipe is opened.
pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(windows)]
    std::os::windows::fs::OpenOptionsExt::security_qos_flags(&mut options, IDENTIFICATION);
    options
}

#[cfg(windows)]
fn is_pipe(opened: &File) -> bool {
    winapi_util::file::typ(opened).is_ok_and(|kind| kind.is_pipe())
}

/// The tests elsewhere open a FIFO.
#[cfg(not(windows))]
const fn is_pipe(_opened: &File) -> bool {
    true
}

/// What to do when the pipe cannot be opened.
pub(super) fn unreachable_hint(address: &Address) -> &'static str {
    let path = address.path.replace('/', "\\").to_ascii_lowercase();
    if !address.is_named {
        START_SERVICE
    } else if path.starts_with(r"\\.\pipe\") {
        "start the agent that SSH_AUTH_SOCK names, or unset the variable to use Windows' own"
    } else {
        "SSH_AUTH_SOCK names no pipe, perhaps an agent of Git Bash or Cygwin: unset it to use Windows' own agent"
    }
}

impl Stream for Pipe {
    fn send(&mut self, bytes: &[u8], wait: &Wait<'_>) -> Result<(), Failure> {
        let bytes = zeroize::Zeroizing::new(bytes.to_vec());
        self.in_thread(wait, move |mut pipe| pipe.write_all(&bytes))
    }

    fn receive(&mut self, buffer: &mut [u8], wait: &Wait<'_>) -> Result<(), Failure> {
        let mut received = zeroize::Zeroizing::new(vec![0; buffer.len()]);
        let received = self.in_thread(wait, move |mut pipe| pipe.read_exact(&mut received).map(|()| received))?;
        buffer.copy_from_slice(&received);
        Ok(())
    }
}

impl Pipe {
    fn in_thread<Outcome: Send + 'static>(
        &self,
        wait: &Wait<'_>,
        work: impl FnOnce(File) -> io::Result<Outcome> + Send + 'static,
    ) -> Result<Outcome, Failure> {
        let pipe = self.0.try_clone().map_err(Failure::Unreachable)?;
        let (sender, outcome) = mpsc::channel();
        thread::Builder::new()
            .name("ringbearer-pipe".to_owned())
            .spawn(move || drop(sender.send(work(pipe))))
            .map_err(Failure::Unreachable)?;
        loop {
            match outcome.recv_timeout(wait.next_block()?) {
                Ok(Ok(outcome)) => return Ok(outcome),
                Ok(Err(_)) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(Failure::Broken("closed the connection"));
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// Always `None`: Windows reports the server of a pipe only through unsafe calls.
pub(super) fn peer(address: &str, wait: &Wait<'_>) -> Result<Option<String>, Failure> {
    connect(address, wait).map(|_| None)
}
