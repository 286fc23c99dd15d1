//! `bursar call`: any RPC, JSON in and out.

use std::{
    io::{Read, Write},
    process::ExitCode,
};

use prost_reflect::{DynamicMessage, MethodDescriptor};
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
    /// For a method that takes a stream: a list, or a request on each line.
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
    match make(args, say).await {
        Ok(()) => ExitCode::SUCCESS,
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

/// The answer as JSON; those of a stream a line each.
///
/// # Errors
/// What went wrong and what to do, for people.
pub async fn answer(args: &CallArgs) -> Result<String, String> {
    let mut answers = Vec::new();
    make(args, |json| answers.push(json)).await?;
    Ok(answers.join("\n"))
}

/// Makes the call, and gives each answer to `each` as it comes.
async fn make(args: &CallArgs, mut each: impl FnMut(String)) -> Result<(), String> {
    let method =
        Directory.method(&args.method).map_err(|unknown| match unknown.near.as_slice() {
            [] | [_] => unknown.to_string(),
            several => format!(
                "there is no method `{}`. There are:\n  {}",
                args.method,
                several.join("\n  ")
            ),
        })?;
    let requests = requests(&read_data(&args.data)?, &method)?;
    let metadata = metadata(args)?;
    let caller = Caller::new(endpoint(&args.addr)?.connect_lazy());
    let failed = |failure| explain(&failure, &args.addr);
    if !method.is_server_streaming() {
        let answer = caller.call(&method, requests, &metadata).await.map_err(failed)?;
        let json = wire::json::answer_to_json(&answer)?;
        each(serde_json::to_string_pretty(&json).map_err(|error| error.to_string())?);
        return Ok(());
    }
    let mut unwritten = None;
    let answered = caller
        .stream(&method, requests, &metadata, |answer| match wire::json::to_json(&answer) {
            Ok(json) => each(json.to_string()),
            Err(error) => unwritten = Some(error),
        })
        .await;
    answered.map_err(failed)?;
    unwritten.map_or(Ok(()), Err)
}

/// The message of a text; for a method that takes a stream those of a list, or
/// of lines.
fn requests(text: &str, method: &MethodDescriptor) -> Result<Vec<DynamicMessage>, String> {
    let of = method.input();
    let wrong = |all: Vec<yaml::Problem>| {
        let lines: Vec<String> = all.iter().map(|p| format!("\n  {p} ({})", p.reason)).collect();
        format!("the request is not a {}:{}", of.name(), lines.concat())
    };
    let one = |text: &str| yaml::parse_json(text, &of).map(|parsed| parsed.message);
    if !method.is_client_streaming() {
        return Ok(vec![one(text).map_err(wrong)?]);
    }
    if let Some(list) = yaml::parse_json_list(text, &of) {
        return list.map_err(wrong);
    }
    let first = text.lines().find(|line| !line.trim().is_empty());
    if first.is_none_or(|line| one(line).is_err()) {
        // Not lines: one that is written over several, or nothing.
        return if first.is_none() { Ok(vec![]) } else { Ok(vec![one(text).map_err(wrong)?]) };
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let messages = lines.map(|(above, line)| {
        one(line).map_err(|mut all| {
            let above = u32::try_from(above).unwrap_or(u32::MAX);
            all.iter_mut().for_each(|problem| problem.line = problem.line.saturating_add(above));
            wrong(all)
        })
    });
    messages.collect()
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
