//! Clients with sockets of their own.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr},
    sync::Arc,
    thread::JoinHandle,
};

use super::*;

const LONG: Duration = Duration::from_secs(20);
/// Shorter than the limit of a request, which an idle connection must not use up first.
const SOON: Duration = Duration::from_secs(3);

const FORM: &str = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\ncode=x";

fn system(limit: Duration) -> OsSystem {
    OsSystem::new(std::iter::empty().collect(), Arc::default(), CancellationToken::default(), limit)
}

fn listen() -> Box<dyn LoopbackListener> {
    system(LONG).listen().unwrap()
}

fn page() -> Page {
    Page { status: 200, html: "<p>Signed in as ada \u{e9}</p>".to_owned() }
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_write_timeout(Some(LONG)).unwrap();
    stream
}

/// The whole answer, up to the end of the connection.
fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Sends a request and returns the answer, in a thread.
fn ask(port: u16, request: impl Into<Vec<u8>>) -> JoinHandle<String> {
    let request = request.into();
    thread::spawn(move || {
        let mut stream = connect(port);
        stream.write_all(&request).unwrap();
        answer(stream)
    })
}

/// The next request, which is answered with the page. Returns its method, its target and its body.
fn serve(listener: &mut dyn LoopbackListener) -> String {
    let incoming = listener.next_request(SOON).unwrap().expect("no request has arrived");
    let BrowserRequest { method, target, body, .. } = &incoming.request;
    let served = format!("{method} {} {}", **target, String::from_utf8_lossy(body));
    incoming.answer(&page());
    served
}

fn assert_is_page(answer: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, page().html);
    assert!(head.starts_with("HTTP/1.1 200 \r\n"), "{head}");
    for header in [
        "Content-Type: text/html; charset=utf-8",
        &format!("Content-Length: {}", body.len()),
        "Connection: close",
        "Referrer-Policy: no-referrer",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
    ] {
        assert!(head.lines().any(|line| line == header), "{head}");
    }
}

#[test]
fn both_addresses_of_localhost_reach_the_listener() {
    let mut listener = listen();
    let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let addresses = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
    for address in addresses.into_iter().take(if has_ipv6 { 2 } else { 1 }) {
        let mut stream = TcpStream::connect((address, listener.port())).unwrap();
        stream.write_all(b"GET /?a HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        assert_eq!(serve(&mut *listener), "GET /?a ");
        assert_is_page(&answer(stream));
    }
}

#[test]
fn other_interfaces_do_not_reach_the_listener() {
    let listener = listen();
    // All of 127.0.0.0/8 is local on Linux: a listener on 0.0.0.0 would answer.
    let other = SocketAddr::from(([127, 0, 0, 2], listener.port()));
    assert!(TcpStream::connect_timeout(&other, Duration::from_secs(1)).is_err());
}

#[test]
fn a_form_arrives_and_its_page_is_received() {
    let mut listener = listen();
    let client = ask(listener.port(), FORM);
    let incoming = listener.next_request(SOON).unwrap().unwrap();
    let BrowserRequest { method, target, host, content_type, body } = &incoming.request;
    assert_eq!((method.as_str(), target.as_str(), host.as_deref()), ("POST", "/", Some("localhost")));
    assert_eq!((content_type.as_str(), body.as_slice()), ("application/x-www-form-urlencoded", &b"code=x"[..]));
    incoming.answer(&page());
    assert_is_page(&client.join().unwrap());
}

#[test]
fn idle_connections_delay_no_request() {
    let mut listener = listen();
    let mut idle: Vec<_> = (0..MAX_CONNECTIONS - 2).map(|_| connect(listener.port())).collect();
    let client = ask(listener.port(), FORM);
    assert_eq!(serve(&mut *listener), "POST / code=x");
    assert_is_page(&client.join().unwrap());
    // They may still be used.
    idle[0].write_all(FORM.as_bytes()).unwrap();
    assert_eq!(serve(&mut *listener), "POST / code=x");
    assert_is_page(&answer(idle.swap_remove(0)));
}

#[test]
fn a_connection_beyond_the_cap_closes_the_oldest() {
    let mut listener = listen();
    let mut idle: Vec<_> = (0..3 * MAX_CONNECTIONS).map(|_| connect(listener.port())).collect();
    let client = ask(listener.port(), FORM);
    assert_eq!(serve(&mut *listener), "POST / code=x");
    assert_is_page(&client.join().unwrap());
    let oldest = idle.swap_remove(0);
    assert_eq!(answer(oldest), "");
}

#[test]
fn a_slow_client_is_refused_and_delays_no_other() {
    let mut listener = listen();
    let start = Instant::now();
    let mut slow = connect(listener.port());
    let dripping = thread::spawn(move || {
        // Each byte comes in time, the whole request would take ten seconds.
        for byte in FORM.bytes() {
            if slow.write_all(&[byte]).is_err() {
                break;
            }
            slow.set_read_timeout(Some(Duration::from_millis(10_000 / FORM.len() as u64))).unwrap();
            let mut first = [0];
            if slow.read(&mut first).is_ok_and(|read| read == 1) {
                slow.set_read_timeout(Some(LONG)).unwrap();
                return String::from_utf8_lossy(&first).into_owned() + &answer(slow);
            }
        }
        String::new()
    });
    let client = ask(listener.port(), FORM);
    assert_eq!(serve(&mut *listener), "POST / code=x");
    assert_is_page(&client.join().unwrap());
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(listener.next_request(Duration::from_secs(6)).unwrap().is_none());
    let refused = dripping.join().unwrap();
    assert!(refused.starts_with("HTTP/1.1 408 "), "{refused:?}");
}

#[test]
fn a_long_body_is_refused_and_others_are_served() {
    let mut listener = listen();
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n";
    let long = ask(listener.port(), [head.as_bytes(), &vec![b'a'; 1024 * 1024]].concat());
    assert!(listener.next_request(Duration::from_millis(500)).unwrap().is_none());
    let refused = long.join().unwrap();
    assert!(refused.starts_with("HTTP/1.1 413 ") && refused.ends_with("</html>"), "{refused}");
    let client = ask(listener.port(), FORM);
    assert_eq!(serve(&mut *listener), "POST / code=x");
    assert_is_page(&client.join().unwrap());
}

#[test]
fn what_is_no_request_is_refused_with_its_status() {
    let mut listener = listen();
    for (request, status) in [
        ("\u{16}\u{3}\u{1}\u{2}", 400),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n", 417),
    ] {
        let client = ask(listener.port(), request);
        assert!(listener.next_request(Duration::from_millis(200)).unwrap().is_none());
        let refused = client.join().unwrap();
        assert!(refused.starts_with(&format!("HTTP/1.1 {status} ")), "{refused}");
    }
}

#[test]
fn a_connection_that_its_client_closes_is_forgotten() {
    let mut listener = listen();
    let mut stream = connect(listener.port());
    stream.write_all(b"POST / HT").unwrap();
    drop(stream);
    assert!(listener.next_request(Duration::from_millis(100)).unwrap().is_none());
    let client = ask(listener.port(), FORM);
    assert_eq!(serve(&mut *listener), "POST / code=x");
    assert_is_page(&client.join().unwrap());
}

#[test]
fn a_request_without_an_answer_closes_its_connection() {
    let mut listener = listen();
    let client = ask(listener.port(), FORM);
    drop(listener.next_request(SOON).unwrap().unwrap());
    assert_eq!(client.join().unwrap(), "");
}

#[test]
fn a_page_arrives_whole_although_more_was_sent() {
    let mut listener = listen();
    // More than the listener reads, and more than the socket's buffers hold: it is sent while the answer is.
    let request = [FORM.as_bytes(), &vec![b'a'; 3 * 1024 * 1024]].concat();
    let client = ask(listener.port(), request);
    assert_eq!(serve(&mut *listener), "POST / code=x");
    assert_is_page(&client.join().unwrap());
}

#[test]
fn a_long_page_arrives_whole_at_a_slow_client() {
    let mut listener = listen();
    let mut stream = connect(listener.port());
    stream.write_all(FORM.as_bytes()).unwrap();
    let long = Page { status: 400, html: "a".repeat(8 * 1024 * 1024) };
    let incoming = listener.next_request(SOON).unwrap().unwrap();
    let client = thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        answer(stream)
    });
    incoming.answer(&long);
    assert!(client.join().unwrap().ends_with(&format!("\r\n\r\n{}", long.html)));
}

#[test]
fn a_client_that_never_closes_delays_the_end_by_a_second() {
    let mut listener = listen();
    let mut stream = connect(listener.port());
    stream.write_all(FORM.as_bytes()).unwrap();
    let incoming = listener.next_request(SOON).unwrap().unwrap();
    let start = Instant::now();
    incoming.answer(&page());
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_is_page(&answer(stream));
}

#[test]
fn clients_that_never_close_delay_the_end_once() {
    let mut listener = listen();
    let mut open: Vec<_> = (0..6).map(|_| connect(listener.port())).collect();
    for stream in &mut open {
        stream.write_all(FORM.as_bytes()).unwrap();
    }
    let start = Instant::now();
    listener.next_request(SOON).unwrap().unwrap().answer(&page());
    listener.answer_rest(&page(), Duration::from_secs(2));
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    for stream in open {
        assert_is_page(&answer(stream));
    }
}

#[test]
fn a_page_is_received_after_the_client_has_ended_its_side() {
    let mut listener = listen();
    let mut stream = connect(listener.port());
    stream.write_all(FORM.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(serve(&mut *listener), "POST / code=x");
    assert_is_page(&answer(stream));
}

#[test]
fn cancellation_ends_a_wait_at_once() {
    let system = system(LONG);
    let mut listener = system.listen().unwrap();
    let (start, cancellation) = (Instant::now(), system.cancellation());
    let canceller = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        cancellation.cancel();
    });
    let error = listener.next_request(LONG).err().unwrap();
    assert_eq!(error.kind(), Kind::Cancelled);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    canceller.join().unwrap();
    assert_eq!(system.listen().err().unwrap().kind(), Kind::Cancelled);
}

#[test]
fn the_end_of_the_lookup_ends_a_wait() {
    let mut listener = system(Duration::from_millis(200)).listen().unwrap();
    assert!(listener.next_request(Duration::from_millis(50)).unwrap().is_none());
    assert_eq!(listener.next_request(LONG).err().unwrap().kind(), Kind::Timeout);
}

#[test]
fn a_dropped_listener_frees_its_port() {
    let listener = listen();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.port()));
    drop(listener);
    assert!(TcpStream::connect_timeout(&address, SOON).is_err());
}

#[test]
fn listeners_have_ports_of_their_own() {
    let listeners: Vec<_> = (0..10).map(|_| listen()).collect();
    let mut ports: Vec<_> = listeners.iter().map(|listener| listener.port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), listeners.len());
}
