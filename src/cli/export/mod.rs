//! `bursar export`: everything that happened, as JSON lines, one a record
//! (docs/EXPORT.md). Works while a service serves, and on a backup. Owns where
//! the lines go and how it ends; what is in them is `line.rs`'s.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{failed, progress::Progress};
use crate::{
    api::service::Language,
    domain::told::Told,
    store::sled::{
        Damage, Item,
        backup::{Cut, read},
    },
};

mod books;
mod line;
mod plain;
mod resource;

use self::books::Books;

/// Names the form of the lines.
const FORMAT: &str = "bursar-export-2";
/// As a shell tells of a program whose reader went away.
const READER_GONE: u8 = 128 + 13;

/// What to export.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The data directory, served or not, or a backup.
    #[arg(long, env = "BURSAR_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,
    /// Write to a file that is not there yet, instead of the standard output.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Only records after this one: the `last_sequence` of an earlier export.
    #[arg(long, default_value_t = 0, value_name = "SEQUENCE")]
    after: u64,
    /// The language of texts.
    #[arg(long, value_enum, default_value_t = Tongue::En)]
    language: Tongue,
}

/// A language that policies have texts in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Tongue {
    /// English.
    En,
    /// Simplified Chinese.
    #[value(name = "zh-CN")]
    ZhCn,
}

impl From<Tongue> for Language {
    fn from(tongue: Tongue) -> Self {
        match tongue {
            Tongue::En => Self::English,
            Tongue::ZhCn => Self::Chinese,
        }
    }
}

/// Why there is no whole export.
enum Halt {
    Damage(Damage),
    Unknown(String),
    Write(io::Error),
}

impl From<Damage> for Halt {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

/// Writes all of it.
pub fn run(args: &ExportArgs) -> ExitCode {
    let written = match &args.to {
        Some(file) => to_file(args, file),
        None => write(args, BufWriter::with_capacity(64 * 1024, io::stdout().lock())).map(drop),
    };
    let to =
        || args.to.as_ref().map_or("the standard output".into(), |to| to.display().to_string());
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(Halt::Write(error)) if args.to.is_none() && error.kind() == ErrorKind::BrokenPipe => {
            ExitCode::from(READER_GONE)
        }
        Err(Halt::Write(error)) => failed(&format!("{}: {error}", to())),
        Err(Halt::Damage(damage)) => {
            failed(&format!("the export is not complete: {}: {damage}", args.data.display()))
        }
        Err(Halt::Unknown(why)) => failed(&format!("the export is not complete: {why}")),
    }
}

/// To a file beside it first, so that what is not whole has not its name.
fn to_file(args: &ExportArgs, file: &Path) -> Result<(), Halt> {
    let mut name = OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    // Of this process: another one may be writing to the same name.
    name.push(format!(".{}.partial", std::process::id()));
    let draft = file.with_file_name(name);
    let taken = || io::Error::new(ErrorKind::AlreadyExists, "it is there already");
    if fs::symlink_metadata(file).is_ok() {
        return Err(Halt::Write(taken()));
    }
    let out = File::create_new(&draft).map_err(Halt::Write)?;
    let done = write(args, BufWriter::with_capacity(64 * 1024, out)).and_then(|out| {
        let out = out.into_inner().map_err(|error| Halt::Write(error.into_error()))?;
        out.sync_all().and_then(|()| give_name(&draft, file)).map_err(Halt::Write)
    });
    // What cannot be removed is not taken for an export.
    let _ = fs::remove_file(&draft);
    done
}

/// Gives a file its name. Linking replaces nothing that came there meanwhile;
/// where there are no links, little can have come.
fn give_name(draft: &Path, file: &Path) -> io::Result<()> {
    match fs::hard_link(draft, file) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        Err(_) => fs::rename(draft, file),
        Ok(()) => Ok(()),
    }
}

fn write<W: Write>(args: &ExportArgs, mut out: W) -> Result<W, Halt> {
    let language = Language::from(args.language);
    let mut books = Books::default();
    let (mut records, mut events, mut first) = (0_u64, 0_u64, None);
    let mut progress = Progress::default();
    put(&mut out, &header(args, language))?;
    let cut = read(&args.data, |item| {
        let told = match item {
            Item::Kept(row) => return books.take(row).map_err(Halt::Unknown),
            Item::Record(told) => told,
        };
        if first.replace(told.sequence()).is_none() {
            begins(told.sequence(), args.after)?;
        }
        progress.record(told.sequence());
        if let Told::AtLength(record) = told {
            books.learn(record).map_err(Halt::Unknown)?;
        }
        if told.sequence() <= args.after {
            return Ok(());
        }
        let record = told.record().map_err(Damage::misfit(told.sequence()))?;
        records += 1;
        events += record.events.len() as u64;
        put(&mut out, &line::of(&record, &books, language).map_err(Halt::Unknown)?)
    });
    progress.clear();
    let cut = cut?;
    if cut.tip.sequence < args.after {
        let (last, after) = (cut.tip.sequence, args.after);
        return Err(Halt::Unknown(format!(
            "the journal ends at record {last}, before record {after}: it is another one, or was \
             restored from a backup"
        )));
    }
    if first.is_none() {
        begins(cut.no_more + 1, args.after)?;
    }
    put(&mut out, &end(&cut, records, events))?;
    out.flush().map_err(Halt::Write)?;
    Ok(out)
}

/// That what was exported before is followed by what is there now. The first export of
/// all begins where the journal does.
fn begins(first: u64, after: u64) -> Result<(), Halt> {
    if after == 0 || after + 1 >= first {
        return Ok(());
    }
    Err(Halt::Unknown(format!(
        "records {} to {} were let go of and are in no export that ends at {after}: look for \
         them in a backup, or go on with --after {}",
        after + 1,
        first - 1,
        first - 1
    )))
}

fn put(out: &mut impl Write, line: &Value) -> Result<(), Halt> {
    let written = serde_json::to_writer(&mut *out, line).map_err(io::Error::from);
    written.and_then(|()| out.write_all(b"\n")).map_err(Halt::Write)
}

fn header(args: &ExportArgs, language: Language) -> Value {
    json!({
        "type": "header",
        "format": FORMAT,
        "bursar_version": env!("CARGO_PKG_VERSION"),
        "language": language.tag(),
        "after_sequence": args.after,
    })
}

fn end(cut: &Cut, records: u64, events: u64) -> Value {
    json!({
        "type": "end",
        "records": records,
        "events": events,
        "no_more": cut.no_more,
        "last_sequence": cut.tip.sequence,
        "last_time": (cut.tip.sequence > 0).then(|| cut.tip.at.to_string()),
        "last_hash": cut.last_hash,
        "journal": cut.journal,
    })
}
