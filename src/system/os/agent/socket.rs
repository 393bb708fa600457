//! A connection to the agent's Unix socket.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketType},
};

use super::{Address, Failure, Stream, Wait, is_idle};

/// Unix has no default: only SSH_AUTH_SOCK names the socket.
pub(super) const DEFAULT_ADDRESS: Option<&str> = None;

pub(super) struct Socket(UnixStream);

/// Connects without blocking: `connect` would block for ever on the full queue of an agent that accepts no
/// connections.
pub(super) fn connect(address: &str, wait: &Wait<'_>) -> Result<Socket, Failure> {
    let unreachable = |errno: Errno| Failure::Unreachable(errno.into());
    let path = SocketAddrUnix::new(address).map_err(unreachable)?;
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).map_err(unreachable)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC).map_err(unreachable)?;
    rustix::io::ioctl_fionbio(&socket, true).map_err(unreachable)?;
    loop {
        match rustix::net::connect(&socket, &path) {
            Ok(()) => break,
            Err(Errno::AGAIN | Errno::INTR) => std::thread::sleep(wait.next_block()?),
            Err(errno) => return Err(unreachable(errno)),
        }
    }
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false).map_err(Failure::Unreachable)?;
    Ok(Socket(stream))
}

/// What to do when the socket cannot be connected.
pub(super) fn unreachable_hint(_address: &Address) -> &'static str {
    "SSH_AUTH_SOCK may be left from a session that has ended: log in again, or start an agent"
}

impl Stream for Socket {
    fn send(&mut self, mut bytes: &[u8], wait: &Wait<'_>) -> Result<(), Failure> {
        while !bytes.is_empty() {
            self.0.set_write_timeout(Some(wait.next_block()?)).map_err(Failure::Unreachable)?;
            match self.0.write(bytes) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(error) if is_idle(&error) => {}
                Err(_) => return Err(Failure::Broken("closed the connection")),
            }
        }
        Ok(())
    }

    fn receive(&mut self, mut buffer: &mut [u8], wait: &Wait<'_>) -> Result<(), Failure> {
        while !buffer.is_empty() {
            self.0.set_read_timeout(Some(wait.next_block()?)).map_err(Failure::Unreachable)?;
            match self.0.read(buffer) {
                Ok(0) => return Err(Failure::Broken("closed the connection")),
                Ok(received) => buffer = buffer.get_mut(received..).unwrap_or_default(),
                Err(error) if is_idle(&error) => {}
                Err(_) => return Err(Failure::Broken("closed the connection")),
            }
        }
        Ok(())
    }
}

/// The name of the process that listens on the socket; Linux only.
pub(super) fn peer(address: &str, wait: &Wait<'_>) -> Result<Option<String>, Failure> {
    let stream = connect(address, wait)?;
    #[cfg(target_os = "linux")]
    {
        let process = rustix::net::sockopt::socket_peercred(&stream.0).map(|peer| peer.pid.as_raw_nonzero());
        let name = process.ok().and_then(|process| std::fs::read_to_string(format!("/proc/{process}/comm")).ok());
        Ok(name.map(|name| name.trim().to_owned()))
    }
    #[cfg(not(target_os = "linux"))]
    {
        drop(stream);
        Ok(None)
    }
}
