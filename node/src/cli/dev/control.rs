//! What `dev add` and `dev remove` ask of the process that runs the nodes: one line of JSON there,
//! one back, on the loopback interface.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::super::failure::Failure;

/// Time for one line, there and back.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest line: a few names.
const LINE_BYTES_MAX: u64 = 4096;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Where the nodes listen.
    Nodes,
    /// One more node.
    Start { zone: Option<String>, weight: u32 },
    /// The node with this label ends.
    Stop { label: String },
}

impl Ask {
    fn to_line(&self) -> String {
        let value = match self {
            Ask::Nodes => json!({ "nodes": true }),
            Ask::Start { zone, weight } => json!({ "start": { "zone": zone, "weight": weight } }),
            Ask::Stop { label } => json!({ "stop": label }),
        };
        format!("{value}\n")
    }

    fn from_line(line: &str) -> Option<Ask> {
        let value: Value = serde_json::from_str(line).ok()?;
        if value["nodes"] == true {
            return Some(Ask::Nodes);
        }
        if let Some(label) = value["stop"].as_str() {
            return Some(Ask::Stop { label: label.to_owned() });
        }
        let start = value.get("start")?;
        let weight = u32::try_from(start["weight"].as_u64()?).ok()?;
        Some(Ask::Start { zone: start["zone"].as_str().map(str::to_owned), weight })
    }
}

/// Asks the process that runs the nodes.
pub(super) async fn ask(control: SocketAddr, ask: &Ask) -> Result<Value, Failure> {
    let asked = async {
        let mut stream = TcpStream::connect(control).await.map_err(|error| {
            format!("no `quorate dev` listens at {control} ({error}): see --control")
        })?;
        let line = ask.to_line();
        stream.write_all(line.as_bytes()).await.map_err(|error| error.to_string())?;
        let answer = read_line(&mut stream).await?;
        serde_json::from_str::<Value>(&answer)
            .map_err(|_| format!("what listens at {control} is no `quorate dev`"))
    };
    let silent = |_| Failure::failed(format_args!("`quorate dev` at {control} does not answer"));
    let answer = timeout(PATIENCE, asked).await.map_err(silent)?.map_err(Failure::failed)?;
    match answer["failed"].as_str() {
        Some(reason) => Err(Failure::failed(reason)),
        None => Ok(answer),
    }
}

/// The next line that somebody asks, and where the answer goes. What is no question is hung up on.
pub(super) async fn next(listener: &TcpListener) -> (Ask, TcpStream) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            // Out of descriptors: later there may be some.
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        let line = timeout(PATIENCE, read_line(&mut stream)).await;
        if let Some(ask) = line.ok().and_then(Result::ok).and_then(|line| Ask::from_line(&line)) {
            return (ask, stream);
        }
    }
}

/// Answers; whoever asked may be gone.
pub(super) async fn answer(mut stream: TcpStream, answer: Result<Value, Failure>) {
    let value = answer.unwrap_or_else(|failure| json!({ "failed": failure.to_string() }));
    let _ = timeout(PATIENCE, stream.write_all(format!("{value}\n").as_bytes())).await;
}

async fn read_line(stream: &mut TcpStream) -> Result<String, String> {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.take(LINE_BYTES_MAX));
    reader.read_line(&mut line).await.map_err(|error| error.to_string())?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_what_is_heard() {
        for ask in [
            Ask::Nodes,
            Ask::Start { zone: None, weight: 1 },
            Ask::Start { zone: Some("east".into()), weight: 7 },
            Ask::Stop { label: "node-2".into() },
        ] {
            assert_eq!(Ask::from_line(&ask.to_line()), Some(ask));
        }
        for noise in ["", "GET / HTTP/1.1", "{}", "{\"start\":{}}", "{\"stop\":7}"] {
            assert_eq!(Ask::from_line(noise), None, "{noise}");
        }
    }
}
