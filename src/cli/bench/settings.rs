//! What `bursar bench` can be told.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use rust_decimal::Decimal;

use super::load::{Mode, Plan};

/// Longer than any load takes that ends with its requests.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What to measure.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// A server to load instead of one of the bench's own. It gets a platform
    /// more.
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["store", "data"])]
    pub addr: Option<String>,
    /// A data directory that the bench's own server opens instead of a new one.
    /// What the load leaves in it stays.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["addr", "store", "data"])]
    pub on: Option<PathBuf>,
    /// Id of the platform that is loaded. One that is there, from an earlier
    /// run, is loaded further: say --first, too. Without it, a new one.
    #[arg(long, value_name = "ID")]
    pub platform: Option<String>,
    /// Number of the first request. All that it says follows from its number,
    /// and --hot: one that was sent before is answered from what was decided.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub first: u64,
    /// How payouts are sent.
    #[arg(long, value_enum, default_value = "unary")]
    pub mode: Mode,
    /// Calls under way, or unanswered requests of streams: 256, batches 16,
    /// streams 2048 if nothing is said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub in_flight: Option<u32>,
    /// One call at a time, on one connection.
    #[arg(long, conflicts_with_all = ["in_flight", "connections", "rate"])]
    pub lone: bool,
    /// Connections that they share.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub connections: u16,
    /// Calls begun each second, whether answered or not. Without it the next
    /// begins when one is answered.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: Option<u64>,
    /// For how long.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub seconds: u64,
    /// So many requests, however long they take.
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    pub requests: Option<u64>,
    /// For how long the same is done before, unmeasured.
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub warm_up_seconds: u64,
    /// Share of the load that one shop gets, 0 to 1.
    #[arg(long, default_value = "0", value_name = "SHARE", value_parser = share)]
    pub hot: u64,
    /// Shops, each with 20 operators.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub shops: usize,
    /// What a payout holds ends after so many seconds, if nobody executes it, and
    /// not when the policy says. Only for a platform that is made now.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub hold_seconds: Option<u32>,
    /// Then list the first shop's payouts, so many pages, and tell how long the
    /// first and the deepest of them take. The first shop is the one that --hot
    /// is about.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub pages: Option<u32>,
    /// Payouts of a page; what the service gives unless it is told, if nothing
    /// is said.
    #[arg(long, default_value_t = 0, requires = "pages", value_name = "N", value_parser = clap::value_parser!(i32).range(0..=1000))]
    pub page_size: i32,
    /// Then load a server that answers at once with as many bytes.
    #[arg(long)]
    pub baseline: bool,
    /// Store of the bench's own server: sled or memory.
    #[arg(long, default_value = "sled", value_name = "STORE")]
    pub store: String,
    /// Where the data directory of its own server is made. The folder of
    /// temporary files, where it is by default, may be in memory.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Folder of policies. Published ones come with the program.
    #[arg(long, default_value = "policies", value_name = "DIR")]
    pub policies: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Be the baseline.
    #[arg(long, hide = true, value_name = "BYTES")]
    pub serve_noop: Option<usize>,
}

/// A share of 1, in thousandths.
fn share(text: &str) -> Result<u64, String> {
    let wrong = || "not a number from 0 to 1 with at most three decimals".to_owned();
    let share: Decimal = text.parse().map_err(|_| wrong())?;
    if share < Decimal::ZERO || share > Decimal::ONE || share.normalize().scale() > 3 {
        return Err(wrong());
    }
    u64::try_from(share * Decimal::ONE_THOUSAND).map_err(|_| wrong())
}

impl BenchArgs {
    /// How much is sent.
    pub fn plan(&self) -> Plan {
        let said = self.in_flight.and_then(|n| usize::try_from(n).ok());
        Plan {
            mode: self.mode,
            in_flight: if self.lone { 1 } else { said.unwrap_or(self.mode.in_flight()) },
            rate: self.rate,
            time: match self.requests {
                Some(_) => FOREVER,
                None => Duration::from_secs(self.seconds),
            },
        }
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        if self.lone { 1 } else { usize::from(self.connections) }
    }

    /// How long it is warmed up.
    pub fn warm_up(&self) -> Duration {
        Duration::from_secs(self.warm_up_seconds)
    }
}

#[cfg(test)]
mod tests {
    use clap::{FromArgMatches, error::ErrorKind};

    use super::*;

    fn parsed(args: &str) -> Result<BenchArgs, clap::Error> {
        let command = BenchArgs::augment_args(clap::Command::new("bench").no_binary_name(true));
        let matches = command.try_get_matches_from(args.split_whitespace())?;
        BenchArgs::from_arg_matches(&matches)
    }

    #[test]
    fn a_mode_has_as_much_in_flight_as_suits_it_unless_it_is_told() {
        let plans = ["", "--mode batch", "--mode stream", "--mode batch --in-flight 3", "--lone"];
        let in_flight = plans.map(|args| parsed(args).expect("arguments").plan().in_flight);
        assert_eq!(in_flight, [256, 16, 2048, 3, 1]);
    }

    #[test]
    fn a_lone_request_has_a_connection_of_its_own() {
        let connections = ["", "--connections 7", "--lone"];
        let connections = connections.map(|args| parsed(args).expect("arguments").connections());
        assert_eq!(connections, [4, 7, 1]);
    }

    #[test]
    fn a_share_is_a_number_from_0_to_1() {
        let shares = ["0", "0.5", "1", "0.125", "0.5000"].map(|text| share(text).expect("a share"));
        assert_eq!(shares, [0, 500, 1000, 125, 500]);
        for wrong in ["-0.1", "1.001", "half", "", "0.0001", "NaN"] {
            share(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (args, kind) in [
            ("--lone --rate 5", ErrorKind::ArgumentConflict),
            ("--addr 127.0.0.1:1 --store sled", ErrorKind::ArgumentConflict),
            ("--rate 0", ErrorKind::ValueValidation),
            ("--in-flight 0", ErrorKind::ValueValidation),
            ("--connections 0", ErrorKind::ValueValidation),
            ("--hot 2", ErrorKind::ValueValidation),
            ("--mode both", ErrorKind::InvalidValue),
            ("--requests 5 --seconds 5", ErrorKind::ArgumentConflict),
            ("--on here --data there", ErrorKind::ArgumentConflict),
            ("--on here --addr 127.0.0.1:1", ErrorKind::ArgumentConflict),
            ("--page-size 50", ErrorKind::MissingRequiredArgument),
            ("--pages 0", ErrorKind::ValueValidation),
            ("--hold-seconds 0", ErrorKind::ValueValidation),
        ] {
            assert_eq!(parsed(args).expect_err(args).kind(), kind, "{args}");
        }
    }
}
