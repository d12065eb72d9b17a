//! Both ends of an HTTP request, one request a connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value as Json;

const TIMEOUT: Duration = Duration::from_secs(3);

/// A request as it came in.
pub struct Request {
    pub method: String,
    pub path: String,
    pub content_type: String,
    pub body: Vec<u8>,
}

/// Reads one request.
pub fn read(stream: &TcpStream) -> anyhow::Result<Request> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut words = first.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        bail!("no request");
    };
    let (length, content_type) = headers(&mut reader)?;
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        content_type,
        body,
    })
}

fn headers(reader: &mut BufReader<&TcpStream>) -> anyhow::Result<(Option<usize>, String)> {
    let (mut length, mut content_type) = (None, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else {
            return Ok((length, content_type));
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.trim().parse()?),
            "content-type" => content_type = value.trim().to_owned(),
            _ => {}
        }
    }
}

/// Answers, and ends the connection.
pub fn answer(
    mut stream: &TcpStream,
    code: u16,
    content_type: &str,
    body: &[u8],
) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {code} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}

/// Asks for a path.
pub fn get(server: &str, path: &str) -> anyhow::Result<Vec<u8>> {
    ask(server, "GET", path, None)
}

/// Sends a merge patch.
pub fn patch(server: &str, path: &str, body: &Json) -> anyhow::Result<Vec<u8>> {
    ask(server, "PATCH", path, Some(body))
}

/// Sends a request; anything but success is an error with the server's words.
pub fn ask(server: &str, method: &str, path: &str, body: Option<&Json>) -> anyhow::Result<Vec<u8>> {
    let address = server.to_socket_addrs()?.next().context("no address")?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let content_type = match method {
        "PATCH" => "application/merge-patch+json",
        _ => "application/json",
    };
    let body = body.map(Json::to_string).unwrap_or_default();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {server}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut reader = BufReader::new(&stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (length, _) = headers(&mut reader)?;
    let mut answer = vec![0; length.context("an answer of no length")?];
    reader.read_exact(&mut answer)?;
    match first.split_whitespace().nth(1) {
        Some(code) if code.starts_with('2') => Ok(answer),
        _ => bail!("{method} {path}: {}", String::from_utf8_lossy(&answer)),
    }
}
