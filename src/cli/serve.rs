//! `bursar serve`: the service.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use tokio::net::TcpListener;

use super::{failed, store};
use crate::{
    api::auth::Authenticator,
    engine::{Options, clock::SystemClock},
    server::{self, Drain, Parts, Service},
    telemetry,
};

/// How to run the service.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on. Port 0 takes a free one.
    #[arg(long, env = "BURSAR_LISTEN", default_value = "127.0.0.1:7411", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Where rows and the journal are kept: sled or memory.
    #[arg(long, env = "BURSAR_STORE", default_value = "sled", value_name = "STORE")]
    pub store: String,
    /// Directory of the embedded store.
    #[arg(long, env = "BURSAR_DATA", default_value = "data", value_name = "DIR")]
    pub data: PathBuf,
    /// Records of the embedded store's journal after which rows are put away,
    /// so that the next start has less to read.
    #[arg(long, env = "BURSAR_CHECKPOINT_RECORDS", value_name = "N")]
    pub checkpoint_records: Option<u64>,
    /// Callers and their tokens (TOML). Without one, every caller is trusted,
    /// which is allowed on loopback only.
    #[arg(long, env = "BURSAR_TOKENS", value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// Listen beyond loopback without TLS.
    #[arg(long)]
    pub insecure: bool,
}

/// Runs the service until it is told to stop.
pub async fn run(args: &ServeArgs) -> ExitCode {
    telemetry::init();
    match serve(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => failed(&problem),
    }
}

fn authenticator(args: &ServeArgs) -> Result<Authenticator, String> {
    match &args.tokens {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                format!("the token file {} cannot be read: {error}", path.display())
            })?;
            Authenticator::from_token_file(&text)
                .map_err(|problem| format!("the token file {}: {problem}", path.display()))
        }
        None if args.listen.ip().is_loopback() => Ok(Authenticator::Local),
        None => Err(format!(
            "{} can be reached from other machines, and there is no --tokens file: everybody could call everything",
            args.listen
        )),
    }
}

/// Runs the service until it is told to stop, with logging as it is.
///
/// # Errors
/// Why it cannot be run.
pub async fn serve(args: &ServeArgs) -> Result<(), String> {
    let auth = authenticator(args)?;
    if !args.listen.ip().is_loopback() {
        if !args.insecure {
            return Err(format!(
                "{} can be reached from other machines, and this version has no TLS of its own. Put a sidecar in front and listen on loopback, or say --insecure",
                args.listen
            ));
        }
        tracing::warn!(listen = %args.listen, "INSECURE: tokens and payouts cross the network in the clear");
    }
    let store = store::open(&args.store, &args.data, args.checkpoint_records)?;
    let parts = Parts {
        store,
        clock: Arc::new(SystemClock::new()),
        auth: auth.clone(),
        options: Options::default(),
    };
    let service = Service::start(parts)?;
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let callers = match &auth {
        Authenticator::Local => "everybody on this machine, in every role".to_owned(),
        Authenticator::Tokens(callers) => format!("{} known by token", callers.len()),
    };
    let stop = told_to_stop();
    tracing::info!(%address, store = args.store, data = %args.data.display(), callers, "serving");
    let incoming = server::incoming(listener);
    let served = service.serve(incoming, stop, Drain::default()).await;
    tracing::info!("putting the store away");
    let stopped = service.stop(true).await;
    tracing::info!("stopped");
    served.and(stopped)
}

/// Ready when the process is told to stop: Ctrl-C or SIGTERM. Listens from the
/// call on, not from the first poll: until then a signal just ends the process.
pub fn told_to_stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind, name| {
        let heard = signal(kind);
        async move {
            match heard {
                Ok(mut signal) => {
                    signal.recv().await;
                }
                Err(error) => {
                    tracing::warn!(%error, "{name} cannot be heard");
                    std::future::pending::<()>().await;
                }
            }
        }
    };
    let terminate = listen(SignalKind::terminate(), "SIGTERM");
    let interrupt = listen(SignalKind::interrupt(), "Ctrl-C");
    async move {
        tokio::select! {
            () = interrupt => {}
            () = terminate => {}
        }
        tracing::info!("told to stop; draining");
    }
}
