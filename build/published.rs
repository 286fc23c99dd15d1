//! Collects the published policies, so that the program has them wherever it runs.

use std::{error::Error, fmt::Write, fs, path::Path};

/// Code of a list of file names and texts, in order.
pub fn generate(folder: &Path) -> Result<String, Box<dyn Error>> {
    let mut files = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut code = String::from("&[");
    for file in files {
        let name =
            file.file_name().and_then(|name| name.to_str()).ok_or("a name that is no text")?;
        write!(code, "({name:?}, include_str!({:?})), ", fs::canonicalize(&file)?)?;
    }
    code.push(']');
    Ok(code)
}
