//! `bursar bench`: load against a server, and against a server that does
//! nothing with the same requests, in turn.

mod child;
mod client;
mod disk;
mod figures;
mod listing;
mod load;
mod noop;
mod outcome;
mod pace;
mod raw;
mod requests;
mod settings;
mod stream;
#[cfg(test)]
mod tests;
mod world;

use std::{
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use tonic::transport::{Channel, Endpoint};

pub use self::settings::BenchArgs;
use self::{
    child::Server,
    client::Client,
    figures::{Figures, micros, ratio, thousands},
    load::Plan,
    requests::Requests,
    world::World,
};
use super::{failed, say, serve::told_to_stop};
use crate::telemetry;

/// A share of the decisions that may be denied, in thousandths, before the load
/// is no longer what it is said to be.
const MOST_DENIED: u64 = 60;
/// Decisions from which on one in twenty is never more than that.
const ENOUGH: u64 = 100;

#[expect(clippy::disallowed_methods, reason = "measuring is what a bench is for")]
fn now() -> Instant {
    Instant::now()
}

/// What tells this world from others.
#[expect(clippy::disallowed_methods, reason = "the server's time is this machine's")]
fn today() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Measures.
pub async fn run(args: &BenchArgs) -> ExitCode {
    let done = match args.serve_noop {
        Some(bytes) => {
            telemetry::init();
            match noop::listener().await {
                Ok(listener) => noop::serve(listener, bytes).await,
                Err(problem) => Err(problem),
            }
        }
        // Whoever breaks it off gets its servers ended and its folder removed.
        None => tokio::select! {
            done = bench(args) => done,
            () = told_to_stop() => Err("broken off".to_owned()),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => failed(&problem),
    }
}

async fn bench(args: &BenchArgs) -> Result<(), String> {
    let tell = |text: &str| {
        if !args.json {
            say(text);
        }
    };
    let beside = args.on.as_ref().map(|on| on.parent().unwrap_or(on));
    let folder = disk::folder(beside.or(args.data.as_deref()))?;
    let sync = match &args.addr {
        None if args.store == "sled" => Some(disk::median_sync(&folder.0)?),
        _ => None,
    };
    if let Some(sync) = sync {
        tell(&format!("one fdatasync of 4 KiB here: {} µs (median)", micros(sync)));
        if disk::is_memory(&folder.0) {
            eprintln!(
                "the data directory is in memory, where a sync costs nothing: name one on a disk with --data"
            );
        }
    }
    let plan = args.plan();
    let (figures, load) = real(args, plan, &folder.0).await?;
    tell(&figures.line());
    if figures.outcome.decided >= ENOUGH && figures.denied_thousandths() > MOST_DENIED {
        eprintln!("more was denied than the load is meant to be: shops have used up their day");
    }
    if figures.outcome.replayed > 0 {
        eprintln!(
            "{} requests were answered from what was decided before: a larger --first sends new ones",
            thousands(figures.outcome.replayed)
        );
    }
    let baseline = match args.baseline {
        true => Some(idle(args, plan, &figures, load).await?),
        false => None,
    };
    if let Some(baseline) = &baseline {
        tell(&baseline.line());
        tell(&format!(
            "{} of {} for the same requests and {} bytes back: {}",
            thousands(figures.rate()),
            thousands(baseline.rate()),
            figures.outcome.reply.value_at_quantile(0.5),
            ratio(figures.rate(), baseline.rate())
        ));
    }
    if args.json {
        say(figures.json(baseline.as_ref(), sync));
    }
    Ok(())
}

/// Measures Bursar. Also gives the load, for the same to be sent elsewhere.
async fn real(
    args: &BenchArgs,
    plan: Plan,
    folder: &Path,
) -> Result<(Figures, [Requests; 2]), String> {
    let platform =
        args.platform.clone().unwrap_or_else(|| format!("bench-{}", today().as_millisecond()));
    let mut world = World::read(&args.policies, &platform, args.shops)?;
    if let Some(seconds) = args.hold_seconds {
        world.hold_for(seconds)?;
    }
    let world = Arc::new(world);
    let data = args.on.clone().unwrap_or_else(|| folder.join("data"));
    let mut own = match &args.addr {
        Some(_) => None,
        None => Some(Server::bursar(&args.store, &data)?),
    };
    let address = own.as_ref().map(|own| &own.address).or(args.addr.as_ref()).ok_or("no server")?;
    let channels = channels(address, args.connections()).await?;
    let placed =
        world.furnish(&channels).await.map_err(|status| format!("furnishing: {status}"))?;
    // What warms up has to be new, too, in each of several runs.
    let warm = format!("warm{}", args.first);
    let warm = Requests::new(world.clone(), &warm, args.hot, placed);
    let load = Requests::new(world.clone(), "load", args.hot, placed);
    let load = [warm, load.part(args.first, args.requests)];
    let clients = connect(address, args.connections()).await?;
    let mut figures = measure(&clients, &load, args, plan, own.as_ref()).await;
    drop(clients);
    figures.name = plan.mode.name();
    let caught_up = match &own {
        Some(own) => {
            let idle = own.idle().await;
            figures.memory = own.memory();
            idle
        }
        None => Duration::ZERO,
    };
    if let (Some(pages), Some(channel), Some(shop)) =
        (args.pages, channels.first(), world.shops.first())
    {
        let walked = listing::walk(channel, shop, pages, args.page_size).await;
        figures.pages = Some(walked.map_err(|status| format!("listing payouts: {status}"))?);
    }
    drop(channels);
    if let Some(own) = &mut own {
        figures.catching_up = Some(caught_up + own.stop().await?);
    }
    Ok((figures, load))
}

/// Measures the server that does nothing.
async fn idle(
    args: &BenchArgs,
    plan: Plan,
    figures: &Figures,
    load: [Requests; 2],
) -> Result<Figures, String> {
    let bytes = figures.outcome.reply.value_at_quantile(0.5);
    let server = Server::baseline(usize::try_from(bytes).unwrap_or(0))?;
    let clients = connect(&server.address, args.connections()).await?;
    Ok(measure(&clients, &load, args, plan, Some(&server)).await)
}

/// Connections that the load goes over.
async fn connect(address: &str, connections: usize) -> Result<Vec<Client>, String> {
    let mut clients = Vec::new();
    for _ in 0..connections.max(1) {
        clients.push(Client::connect(address).await?);
    }
    Ok(clients)
}

/// Connections for what is before and behind the load.
async fn channels(address: &str, connections: usize) -> Result<Vec<Channel>, String> {
    let mut channels = Vec::new();
    for _ in 0..connections.max(1) {
        let endpoint = Endpoint::from_shared(format!("http://{address}"));
        let endpoint = endpoint.map_err(|error| error.to_string())?.tcp_nodelay(true);
        let channel = endpoint.connect().await;
        channels.push(channel.map_err(|error| format!("cannot connect to {address}: {error}"))?);
    }
    Ok(channels)
}

/// Warms the server up and measures it.
async fn measure(
    clients: &[Client],
    [warm, load]: &[Requests; 2],
    args: &BenchArgs,
    plan: Plan,
    server: Option<&Server>,
) -> Figures {
    load::run(clients, warm.clone(), Plan { time: args.warm_up(), ..plan }).await;
    let (server_before, client_before) = (server.map(Server::cpu), child::cpu("self"));
    let outcome = load::run(clients, load.clone(), plan).await;
    let server_cpu = server.map(Server::cpu).zip(server_before);
    Figures {
        name: "no-op",
        outcome,
        catching_up: None,
        server_cpu: server_cpu.map(|(after, before)| after.saturating_sub(before)),
        client_cpu: child::cpu("self").saturating_sub(client_before),
        memory: None,
        pages: None,
    }
}
