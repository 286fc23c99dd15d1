//! `bursar call`: any RPC, JSON in and out.

use std::{
    io::{Read, Write},
    process::ExitCode,
};

use tonic::{Code, transport::Endpoint};

use super::{Ink, say};
use crate::{
    wire::{self, Caller, Directory, Failure},
    yaml,
};

/// Largest request that is read from a file or the standard input, in bytes.
const MAX_REQUEST_BYTES: u64 = yaml::located::MAX_BYTES as u64;

/// Calls any RPC: JSON in, JSON out.
#[derive(Clone, Debug, clap::Args)]
pub struct CallArgs {
    /// The method, for example `PayoutService/GetPayout` or `grpc.health.v1.Health/Check`.
    #[arg(value_name = "SERVICE/METHOD")]
    pub method: String,
    /// The request as JSON or YAML; `@FILE` reads a file, `-` the standard input.
    #[arg(short, long, value_name = "JSON", default_value = "{}")]
    pub data: String,
    /// Where the service listens.
    #[arg(long, value_name = "URL", env = "BURSAR_ADDR", default_value = "http://127.0.0.1:7411")]
    pub addr: String,
    /// Request metadata, for example `accept-language:en`. May be given several times.
    #[arg(short = 'H', long = "header", value_name = "KEY:VALUE")]
    pub headers: Vec<String>,
    /// Sent as `authorization: Bearer …`.
    #[arg(long, env = "BURSAR_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// Makes the call. Prints the answer to the standard output, or what went
/// wrong to the standard error.
pub async fn run(args: &CallArgs) -> ExitCode {
    match answer(args).await {
        Ok(json) => {
            say(json);
            ExitCode::SUCCESS
        }
        Err(text) => {
            let ink = Ink::on(&std::io::stderr());
            let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
            let _ = writeln!(std::io::stderr(), "{}", ink.bad(first));
            if !rest.is_empty() {
                let _ = writeln!(std::io::stderr(), "{rest}");
            }
            ExitCode::FAILURE
        }
    }
}

/// The answer as JSON.
///
/// # Errors
/// What went wrong and what to do, for people.
pub async fn answer(args: &CallArgs) -> Result<String, String> {
    let method =
        Directory.method(&args.method).map_err(|unknown| match unknown.near.as_slice() {
            [] | [_] => unknown.to_string(),
            several => format!(
                "there is no method `{}`. There are:\n  {}",
                args.method,
                several.join("\n  ")
            ),
        })?;
    let request = yaml::parse_json(&read_data(&args.data)?, &method.input()).map_err(|all| {
        let lines: Vec<String> = all.iter().map(|p| format!("\n  {p} ({})", p.reason)).collect();
        format!("the request is not a {}:{}", method.input().name(), lines.concat())
    })?;
    let metadata = metadata(args)?;
    let channel = endpoint(&args.addr)?.connect_lazy();
    let answer = Caller::new(channel).unary(&method, request.message, &metadata).await;
    let answer = answer.map_err(|failure| explain(&failure, &args.addr))?;
    let json = wire::json::to_json(&answer)?;
    serde_json::to_string_pretty(&json).map_err(|error| error.to_string())
}

fn read_data(data: &str) -> Result<String, String> {
    if data == "-" {
        return read_limited(std::io::stdin().lock(), "the standard input");
    }
    match data.strip_prefix('@') {
        Some(path) => {
            let file = std::fs::File::open(path).map_err(|e| format!("{path}: {e}"))?;
            read_limited(file, path)
        }
        None => Ok(data.to_owned()),
    }
}

fn read_limited(from: impl Read, name: &str) -> Result<String, String> {
    let mut text = String::new();
    from.take(MAX_REQUEST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| format!("{name}: {error}"))?;
    Ok(text)
}

fn metadata(args: &CallArgs) -> Result<tonic::metadata::MetadataMap, String> {
    let mut pairs = Vec::new();
    for header in &args.headers {
        let (name, value) =
            header.split_once(':').ok_or_else(|| format!("-H {header}: write it as NAME:VALUE"))?;
        pairs.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    if let Some(token) = &args.token {
        pairs.push(("authorization".to_owned(), format!("Bearer {token}")));
    }
    wire::metadata(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

fn endpoint(addr: &str) -> Result<Endpoint, String> {
    let url = if addr.contains("://") { addr.to_owned() } else { format!("http://{addr}") };
    if !url.starts_with("http://") {
        return Err(format!("--addr {addr}: only http:// is supported; put a proxy before TLS"));
    }
    Endpoint::from_shared(url).map_err(|error| format!("--addr {addr}: {error}"))
}

/// The failure, its violations, and what to do about it.
fn explain(failure: &Failure, addr: &str) -> String {
    let mut text = failure.to_string();
    for (name, value) in &failure.metadata {
        text.push_str(&format!("\n  {name}: {value}"));
    }
    if let Some(delay) = failure.retry_delay {
        text.push_str(&format!("\nTry again in {delay:?}."));
    }
    let advice = match failure.code {
        Code::Unavailable if failure.reason.is_empty() => {
            format!(
                "Does a server listen at {addr}? Start one with `bursar serve`, or name another with --addr."
            )
        }
        Code::Unauthenticated => "Send a token with --token or BURSAR_TOKEN.".to_owned(),
        Code::PermissionDenied => "The caller's roles or shops do not allow this.".to_owned(),
        Code::InvalidArgument => "Correct the fields above and send it again.".to_owned(),
        Code::NotFound => {
            "Check the name; what the caller may not see is not found either.".to_owned()
        }
        Code::Aborted => "Read the resource again, then decide again.".to_owned(),
        Code::Unimplemented => format!("The server at {addr} does not have this method yet."),
        Code::DeadlineExceeded => {
            "Whether it happened is unknown: send it again with the same ids.".to_owned()
        }
        _ => return text,
    };
    format!("{text}\n{advice}")
}
