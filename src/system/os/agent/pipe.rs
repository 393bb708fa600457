//! A connection to the named pipe of Windows' OpenSSH agent.
//!
//! A pipe opened as a file has no timeouts: each read and write runs in a thread, abandoned when the limit passes.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    sync::mpsc,
    thread,
};

use super::{Failure, Stream, Wait};

/// The pipe of Windows' OpenSSH agent.
pub(super) const DEFAULT_ADDRESS: Option<&str> = Some(r"\\.\pipe\openssh-ssh-agent");

/// `ERROR_PIPE_BUSY`: every instance of the pipe is in use; one may be free soon.
const PIPE_BUSY: i32 = 231;

pub(super) struct Pipe(File);

/// Opens the pipe; waits while it is busy.
pub(super) fn connect(address: &str, wait: &Wait<'_>) -> Result<Pipe, Failure> {
    loop {
        match OpenOptions::new().read(true).write(true).open(address) {
            Ok(pipe) => return Ok(Pipe(pipe)),
            Err(error) if error.raw_os_error() == Some(PIPE_BUSY) => thread::sleep(wait.next_block()?),
            Err(error) => return Err(Failure::Unreachable(error)),
        }
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
        thread::spawn(move || drop(sender.send(work(pipe))));
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
