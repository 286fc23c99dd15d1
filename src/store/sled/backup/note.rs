//! `backup.json`: what is in a backup and where it is from. Written last, so
//! that a folder without one is no backup.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{ErrorKind, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{Source, copy::Copied, failure::Failure};
use crate::{domain::instant::Instant, store::sled::journal::Hash};

/// Its name.
pub const NOTE: &str = "backup.json";
/// Names the form of a backup. Hashes in the first were SHA-256.
const FORMAT: &str = "bursar-backup-2";

/// What is in a backup.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Note {
    /// Its form.
    pub format: String,
    /// The version of Bursar that made it.
    pub bursar_version: String,
    /// When it was begun. Everything that was answered before is in it.
    pub create_time: String,
    /// What tells its journal from those of other installations, hexadecimal.
    pub journal: String,
    /// The platforms in it.
    pub platforms: BTreeSet<String>,
    /// The last record that is no more; 0, if all are there.
    #[serde(default)]
    pub no_more: u64,
    /// How many records there are.
    pub records: u64,
    /// How many commits.
    pub commits: u64,
    /// How many decisions there are, denied ones too.
    pub decisions: u64,
    /// How many payouts.
    pub payouts: u64,
    /// When the last record was written. Of an empty journal none.
    pub last_time: Option<String>,
    /// BLAKE3 of the last commit, hexadecimal.
    pub last_hash: String,
    /// Bytes of the journal, and of what is kept of records that are no more.
    pub bytes: u64,
}

/// What a journal is known by outside. Not its mark itself: nobody who sends
/// records is to know that.
pub(super) fn journal_id(mark: u64) -> String {
    let mut bytes = b"bursar journal".to_vec();
    bytes.extend(mark.to_be_bytes());
    format!("{:?}", Hash::of(&bytes)).chars().take(16).collect()
}

impl Note {
    pub(super) fn new(at: Instant, source: &Source, copied: Copied) -> Self {
        let Copied { survey, end, bytes } = copied;
        let no_more = source.base.tip().sequence;
        Self {
            format: FORMAT.to_owned(),
            bursar_version: env!("CARGO_PKG_VERSION").to_owned(),
            create_time: at.to_string(),
            journal: journal_id(source.live.mark()),
            platforms: survey.platforms,
            no_more,
            records: end.sequence - no_more,
            commits: end.commit,
            decisions: survey.decisions,
            payouts: survey.payouts,
            last_time: survey.last.map(|at| at.to_string()),
            last_hash: format!("{:?}", end.hash),
            bytes,
        }
    }

    /// Reads the one of a backup.
    pub(super) fn read(backup: &Path) -> Result<Self, Failure> {
        let path = backup.join(NOTE);
        let none = |why: String| Failure::NotABackup { path: backup.to_owned(), why };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(none(format!("it has no {NOTE}, which is written last")));
            }
            Err(cause) => return Err(Failure::Io { path, cause }),
        };
        let note = serde_json::from_str::<Self>(&text);
        let note = note.map_err(|error| none(format!("{NOTE} cannot be read: {error}")))?;
        if note.format != FORMAT {
            let why = format!("its form is {:?}; this version reads {FORMAT:?}", note.format);
            return Err(none(why));
        }
        Ok(note)
    }

    /// Writes it, durably.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let path = folder.join(NOTE);
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::other);
        let written = text.and_then(|text| {
            let mut file = File::create_new(&path)?;
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        });
        written.map_err(Failure::io(path))
    }

    /// That another one, made from what is there, says the same of it.
    pub(super) fn fits(&self, made: &Self, backup: &Path) -> Result<(), Failure> {
        let platforms = |note: &Self| note.platforms.iter().cloned().collect::<Vec<_>>().join(", ");
        let fields: [(&'static str, String, String); 8] = [
            ("the journal", made.journal.clone(), self.journal.clone()),
            ("the last record that is no more", made.no_more.to_string(), self.no_more.to_string()),
            ("the number of records", made.records.to_string(), self.records.to_string()),
            ("the number of commits", made.commits.to_string(), self.commits.to_string()),
            ("the hash of the last commit", made.last_hash.clone(), self.last_hash.clone()),
            ("the number of decisions", made.decisions.to_string(), self.decisions.to_string()),
            ("the number of payouts", made.payouts.to_string(), self.payouts.to_string()),
            ("the list of platforms", platforms(made), platforms(self)),
        ];
        let differing = fields.into_iter().find(|(_, found, noted)| found != noted);
        differing.map_or(Ok(()), |(what, found, noted)| {
            Err(Failure::Differs { path: backup.to_owned(), what, found, noted })
        })
    }
}
