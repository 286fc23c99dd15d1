//! `bursar demo`: plays a shop's day against a service on an embedded store,
//! over real calls, prints each answer for people, and then stays up.

use std::{
    io::{Write, stdout},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use clap::Args;

use super::{
    Ink, failed,
    local::{LocalFactory, Opener, ScratchDir},
    paper::Paper,
    scenario::{self, Action, ClockStep, Loaded, Observer, Step},
    serve::{self, ServeArgs},
    store,
};
use crate::{engine::Options, wire};

/// The story that comes with the program.
const STORY: &str = include_str!("../../demo/a-shops-day.yaml");

/// How to play the demonstration.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Address to serve on.
    #[arg(long, default_value = "127.0.0.1:7411", value_name = "ADDR")]
    listen: SocketAddr,
    /// Directory of the embedded store. Without one, a temporary directory
    /// that is removed at the end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Directory of the policy files that the story names. Published ones come
    /// with the program.
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// Another story, in the format of scenarios.
    #[arg(long, value_name = "FILE")]
    story: Option<PathBuf>,
    /// End after the story instead of staying up.
    #[arg(long)]
    once: bool,
}

/// Plays it.
pub async fn run(args: &DemoArgs) -> ExitCode {
    match play(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => failed(&problem),
    }
}

async fn play(args: &DemoArgs) -> Result<(), String> {
    let scratch = ScratchDir::new("demo")?;
    let data = match &args.data {
        Some(data) if data.exists() => {
            return Err(format!(
                "{} exists already; a story begins on an empty store. Name another --data directory, or remove it",
                data.display()
            ));
        }
        Some(data) => data.clone(),
        None => scratch.0.join("data"),
    };
    let path = match &args.story {
        Some(path) => path.clone(),
        None => {
            let path = scratch.0.join("story.yaml");
            std::fs::write(&path, STORY).map_err(|error| format!("{}: {error}", path.display()))?;
            path
        }
    };
    let story = match scenario::load(&path) {
        Ok(Loaded::Scenario(story)) => story,
        Ok(Loaded::Fragment) => {
            return Err(format!("{} has no name: it is no story", path.display()));
        }
        Err(problems) => {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            return Err(all.join("\n"));
        }
    };
    let listen = a_port(args.listen)?;
    let directory = data.clone();
    let opener: Opener = Arc::new(move || store::open("sled", &directory, None));
    let factory =
        LocalFactory::new(Arc::new(move || Ok((opener.clone(), None))), Options::default())
            .listening(listen);
    let options =
        scenario::Options { policies: args.policies.clone(), ..scenario::Options::default() };
    let mut teller = Teller { paper: Paper::new(Ink::on(&stdout())), told: false };
    teller.title(&story.name, listen, &data);
    let mut host =
        scenario::play(&story, &factory, &options, &mut teller).await.map_err(|failure| {
            format!(
                "the story broke off at {}: expected {}, came {}",
                failure.what, failure.expected, failure.came
            )
        })?;
    // The store has one owner at a time, and the next is the service itself.
    host.stop().await?;
    if args.once {
        return Ok(());
    }
    stay(listen, data, &mut teller).await
}

/// Serves the same store on the machine's own clock.
async fn stay(listen: SocketAddr, data: PathBuf, teller: &mut Teller) -> Result<(), String> {
    teller.say(&format!(
        "The day is over. The service stays up on {listen} with everything above; try\n\n  bursar call PayoutService/ListPayouts -d '{{\"parent\": \"platforms/demo/shops/teahouse\"}}' --addr http://{listen}\n\nCtrl-C stops it."
    ));
    let serve_args = ServeArgs {
        listen,
        store: "sled".to_owned(),
        data,
        checkpoint_records: None,
        tokens: None,
        insecure: false,
    };
    serve::serve(&serve_args).await
}

/// The address with a port: what is free if none was asked for. The story and
/// the service after it are found at the same one.
fn a_port(listen: SocketAddr) -> Result<SocketAddr, String> {
    let listener = std::net::TcpListener::bind(listen);
    listener
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("cannot listen on {listen}: {error}"))
}

/// Tells the story as it goes.
struct Teller {
    paper: Paper,
    told: bool,
}

impl Teller {
    fn line(&self, text: &str) {
        // A reader that has gone away is no reason to stop the story.
        let _ = writeln!(stdout(), "{text}");
    }

    fn title(&self, name: &str, listen: SocketAddr, data: &std::path::Path) {
        let ink = self.paper.ink;
        self.line(&ink.bold(&format!("\n{name}, as Bursar sees it")));
        self.line(&ink.dim(&format!("served on {listen}, embedded store in {}\n", data.display())));
    }

    fn say(&self, text: &str) {
        self.line("");
        for line in text.trim_end().lines() {
            self.line(&self.paper.ink.bold(line));
        }
    }
}

impl Observer for Teller {
    fn before(&mut self, step: &Step) {
        self.told = step.say.is_some();
        if let Some(say) = &step.say {
            self.say(say);
        }
        match &step.action {
            Action::Call(call) if self.told => {
                self.line(&self.paper.ink.dim(&format!("  {}", wire::short_name(&call.method))));
            }
            Action::Clock(ClockStep::Wait(time)) => {
                self.line(&self.paper.ink.dim(&format!("\n  … {time} pass")));
            }
            Action::Clock(ClockStep::Until(time)) => {
                self.line(&self.paper.ink.dim(&format!("\n  … it is {time} now")));
            }
            _ => {}
        }
        let _ = stdout().flush();
    }

    fn after(&mut self, _step: &Step, answer: Option<&Result<wire::Answer, wire::Failure>>) {
        if let (true, Some(answer)) = (self.told, answer) {
            self.line(&self.paper.answer(answer));
        }
    }
}
