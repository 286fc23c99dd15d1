//! The figures of a run, for people and for machines.

use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{child::Memory, listing::Walked, outcome::Outcome};

/// What was measured in one run.
#[derive(Debug)]
pub struct Figures {
    /// unary, batch, stream or no-op.
    pub name: &'static str,
    /// What came of the load.
    pub outcome: Outcome,
    /// How long the server still worked after the last answer, and how long it
    /// then took to put things away. `None`: nobody looked.
    pub catching_up: Option<Duration>,
    /// Processor time of the server, if it is the bench's own.
    pub server_cpu: Option<Duration>,
    /// Processor time of the client.
    pub client_cpu: Duration,
    /// Memory of the server, if it is the bench's own.
    pub memory: Option<Memory>,
    /// How long pages of a listing took, if any were asked for.
    pub pages: Option<Walked>,
}

/// Of a thousand: the quantiles that are told.
const QUANTILES: [(&str, i64); 4] = [("p50", 500), ("p90", 900), ("p99", 990), ("p99.9", 999)];

impl Figures {
    /// From the first call until everything had caught up.
    fn time(&self) -> Duration {
        self.outcome.took + self.catching_up.unwrap_or_default()
    }

    /// Payouts decided a second.
    pub fn rate(&self) -> u64 {
        per_second(self.outcome.decided, self.time())
    }

    /// Microseconds that so many of a thousand calls took at most.
    pub fn quantile(&self, thousandths: i64) -> u64 {
        // The histogram asks for a float; nothing is calculated with it.
        let quantile = f64::try_from(Decimal::new(thousandths, 3)).unwrap_or(1.0);
        self.outcome.latency.value_at_quantile(quantile)
    }

    /// Nanoseconds of processor time for each payout.
    fn each(&self, cpu: Duration) -> u64 {
        let items = u128::from(self.outcome.decided.max(1));
        u64::try_from(cpu.as_nanos() / items).unwrap_or(u64::MAX)
    }

    /// Of all decisions, how many thousandths were denied.
    pub fn denied_thousandths(&self) -> u64 {
        self.outcome.denied * 1000 / self.outcome.decided.max(1)
    }

    /// A few words and numbers for people.
    pub fn line(&self) -> String {
        let quantiles =
            QUANTILES.map(|(name, at)| format!("{name} {}", thousands(self.quantile(at))));
        let cpu = |time: Option<Duration>| match time {
            Some(time) => format!("{} µs", thousandths(self.each(time))),
            None => "?".to_owned(),
        };
        let mut line = format!(
            "{:<6} {:>9}/s   {} µs   CPU each: server {}, client {}   denied {} %, errors {}",
            self.name,
            thousands(self.rate()),
            quantiles.join("  "),
            cpu(self.server_cpu),
            cpu(Some(self.client_cpu)),
            Decimal::new(i64::try_from(self.denied_thousandths()).unwrap_or(i64::MAX), 1),
            self.outcome.error_count(),
        );
        if let Some(catching_up) = self.catching_up {
            line.push_str(&format!("   caught up after {} ms", thousands(millis(catching_up))));
        }
        if let Some(memory) = self.memory {
            let mebibytes = [memory.resident, memory.peak].map(|kib| thousands(kib / 1024));
            let [resident, peak] = mebibytes;
            line.push_str(&format!("   resident {resident} MiB, at most {peak}"));
        }
        if let Some(pages) = &self.pages {
            line.push_str(&format!("\n       {}", pages.line()));
        }
        for (code, count) in &self.outcome.errors {
            line.push_str(&format!("\n       {code}: {}", thousands(*count)));
        }
        if let Some(error) = &self.outcome.first_error {
            line.push_str(&format!("\n       the first error: {error}"));
        }
        line
    }

    /// The same for machines.
    pub fn json(&self, baseline: Option<&Self>, sync: Option<Duration>) -> Value {
        let rate = self.rate();
        let baseline_rate = baseline.map(Self::rate);
        json!({
            "mode": self.name,
            "rate": rate,
            "baseline_rate": baseline_rate,
            "ratio": baseline_rate.map(|baseline| number(&ratio(rate, baseline))),
            "p50_us": self.quantile(500),
            "p90_us": self.quantile(900),
            "p99_us": self.quantile(990),
            "p999_us": self.quantile(999),
            "errors": self.outcome.error_count(),
            "errors_by_code": self.outcome.errors,
            "first_error": self.outcome.first_error,
            "decided": self.outcome.decided,
            "denied": self.outcome.denied,
            "replayed": self.outcome.replayed,
            "next": self.outcome.next,
            "load_ms": millis(self.outcome.took),
            "catching_up_ms": self.catching_up.map(millis),
            "reply_bytes": self.outcome.reply.value_at_quantile(0.5),
            "server_cpu_ns_each": self.server_cpu.map(|cpu| self.each(cpu)),
            "client_cpu_ns_each": self.each(self.client_cpu),
            "baseline_errors": baseline.map(|figures| figures.outcome.error_count()),
            "baseline_p50_us": baseline.map(|figures| figures.quantile(500)),
            "baseline_p99_us": baseline.map(|figures| figures.quantile(990)),
            "fdatasync_us": sync.map(micros),
            "resident_kib": self.memory.map(|memory| memory.resident),
            "peak_kib": self.memory.map(|memory| memory.peak),
            "pages": self.pages.as_ref().map(Walked::json),
        })
    }
}

fn per_second(count: u64, time: Duration) -> u64 {
    let per_second = u128::from(count) * 1_000_000 / time.as_micros().max(1);
    u64::try_from(per_second).unwrap_or(u64::MAX)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whole microseconds.
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// A rate over another, to three decimals.
pub fn ratio(rate: u64, baseline: u64) -> String {
    thousandths(
        u64::try_from(u128::from(rate) * 1000 / u128::from(baseline.max(1))).unwrap_or(u64::MAX),
    )
}

/// A number of thousandths as a decimal.
fn thousandths(number: u64) -> String {
    Decimal::new(i64::try_from(number).unwrap_or(i64::MAX), 3).to_string()
}

/// A number with its thousands apart.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Figures {
        let mut outcome = Outcome::new();
        (outcome.decided, outcome.denied) = (2000, 100);
        outcome.took = Duration::from_secs(1);
        (1..=1000).for_each(|micros| outcome.latency.saturating_record(micros));
        Figures {
            name: "unary",
            outcome,
            catching_up: Some(Duration::from_secs(3)),
            server_cpu: Some(Duration::from_millis(30)),
            client_cpu: Duration::from_millis(20),
            memory: Some(Memory { resident: 2048, peak: 4096 }),
            pages: None,
        }
    }

    #[test]
    fn a_rate_counts_the_time_until_everything_has_caught_up() {
        assert_eq!(figures().rate(), 500);
        assert_eq!(Figures { catching_up: None, ..figures() }.rate(), 2000);
    }

    #[test]
    fn quantiles_are_of_all_calls() {
        assert_eq!(QUANTILES.map(|(_, at)| figures().quantile(at)), [500, 900, 990, 999]);
    }

    #[test]
    fn machines_get_what_people_read() {
        let baseline = Figures { catching_up: None, ..figures() };
        let json = figures().json(Some(&baseline), Some(Duration::from_micros(140)));
        let expected = json!({
            "mode": "unary", "rate": 500, "baseline_rate": 2000, "ratio": 0.25,
            "p50_us": 500, "p99_us": 990, "errors": 0, "fdatasync_us": 140,
            "server_cpu_ns_each": 15_000, "client_cpu_ns_each": 10_000,
            "resident_kib": 2048, "peak_kib": 4096, "pages": null, "next": 0, "replayed": 0,
        });
        for (field, value) in expected.as_object().expect("an object") {
            assert_eq!(json.get(field), Some(value), "{field}");
        }
        assert!(figures().line().starts_with("unary        500/s   p50 500  p90 900"));
    }

    #[test]
    fn an_error_is_counted_by_its_code_and_the_first_is_told() {
        let mut figures = figures();
        for text in ["full", "still full"] {
            figures.outcome.failed(&tonic::Status::resource_exhausted(text));
        }
        let json = figures.json(None, None);
        assert_eq!(json["errors"], 2);
        assert_eq!(json["errors_by_code"], json!({"RESOURCE_EXHAUSTED": 2}));
        let line = figures.line();
        assert!(line.contains("RESOURCE_EXHAUSTED: 2") && line.contains("full"), "{line}");
    }

    #[test]
    fn thousands_stand_apart() {
        let texts = [0, 12, 999, 1000, 1_234_567].map(thousands);
        assert_eq!(texts, ["0", "12", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_ratio_has_three_decimals_whatever_the_rates() {
        assert_eq!(ratio(421, 1000), "0.421");
        assert_eq!(ratio(1, 0), "1.000");
        assert_eq!(ratio(u64::MAX, u64::MAX), "1.000");
    }
}
