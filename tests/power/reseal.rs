//! A journal changed as nobody could change it by chance: its frames are written
//! anew with right lengths, checksums and chain. What then still finds the
//! change, does so without them. Knows the format that `journal/frame.rs` and
//! `sled/codec.rs` write down.

use std::{fs, path::Path};

use bursar::{
    domain::change::Record,
    store::sled::compact::{append, from_bytes},
};

use crate::process::verify;

/// Where frames begin in a file.
const FRAMES: usize = 4096;
/// What stands before a frame's records, and where in it the hash of the frame
/// before is.
const HEADER: usize = 72;
const PREVIOUS: std::ops::Range<usize> = 40..72;
/// The form of records.
const ENCODING: u8 = 9;

/// A journal of one file, taken apart.
#[derive(Clone)]
pub struct Journal {
    head: Vec<u8>,
    /// Of each frame what stands before the records, and the records.
    frames: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
}

fn short(bytes: &[u8]) -> usize {
    u32::from_be_bytes(bytes[..4].try_into().expect("four bytes")) as usize
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).expect("small").to_be_bytes()
}

impl Journal {
    pub fn read(data: &Path) -> Self {
        let files = fs::read_dir(data.join("journal")).expect("a listing");
        let files: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
        let [file] = files.as_slice() else { panic!("a journal of one file: {files:?}") };
        let bytes = fs::read(file).expect("a file");
        let (head, mut rest) = bytes.split_at(FRAMES);
        let mut frames = Vec::new();
        while rest.starts_with(b"bJF1") {
            let (header, behind) = rest.split_at(HEADER);
            let (mut payload, behind) = behind.split_at(short(&header[4..]));
            let mut records = Vec::new();
            while !payload.is_empty() {
                let (record, more) = payload[4..].split_at(short(payload));
                records.push(record.to_vec());
                payload = more;
            }
            frames.push((header.to_vec(), records));
            rest = &behind[4..];
        }
        Self { head: head.to_vec(), frames }
    }

    /// Puts it back in place of what was there, with everything that hangs on
    /// the old one gone: rows at rest, and the fence, which is made anew.
    pub fn write(&self, data: &Path) {
        let mut out = self.head.clone();
        let mut previous = [0; 32];
        for (header, records) in &self.frames {
            let start = out.len();
            out.extend(header);
            for record in records {
                out.extend(length(record));
                out.extend(record);
            }
            let payload = length(&out[start + HEADER..]);
            out[start + 4..start + 8].copy_from_slice(&payload);
            out[start + PREVIOUS.start..start + PREVIOUS.end].copy_from_slice(&previous);
            let checksum = crc32fast::hash(&out[start..]);
            out.extend(checksum.to_be_bytes());
            previous = blake3::hash(&out[start..]).into();
        }
        let file = fs::read_dir(data.join("journal")).expect("a listing").next();
        fs::write(file.expect("a file").expect("an entry").path(), out).expect("written");
        fs::remove_dir_all(data.join("runs")).expect("removed");
        fs::remove_file(data.join("durable.fence")).expect("removed");
        let (_, said) = verify(data, &["--rebuild-fence", "--json"]);
        assert!(data.join("durable.fence").exists(), "{said}");
    }

    fn records(&mut self) -> impl Iterator<Item = &mut Vec<u8>> {
        self.frames.iter_mut().flat_map(|(_, records)| records)
    }

    /// Changes one of the records that can be changed so, from the middle.
    pub fn edit(&mut self, edit: impl Fn(&mut Record) -> bool) {
        let changed = |bytes: &Vec<u8>| {
            let mut record: Record = from_bytes(&bytes[1..]).expect("a record");
            edit(&mut record).then_some(record)
        };
        let places: Vec<usize> = self
            .records()
            .enumerate()
            .filter_map(|(at, bytes)| changed(bytes).map(|_| at))
            .collect();
        let at = *places.get(places.len() / 2).expect("a record to change");
        let bytes = self.records().nth(at).expect("it was there");
        let record = changed(bytes).expect("it could be changed");
        *bytes = vec![ENCODING];
        append(bytes, &record);
    }

    /// Flips one bit of what records say.
    pub fn flip(&mut self, chance: u64) {
        let whole: u64 = self.records().map(|record| record.len() as u64).sum();
        let mut place = usize::try_from(chance % whole).expect("small");
        for record in self.records() {
            match record.get_mut(place) {
                Some(byte) => {
                    *byte ^= 1 << (chance >> 40 & 7);
                    return;
                }
                None => place -= record.len(),
            }
        }
    }
}
