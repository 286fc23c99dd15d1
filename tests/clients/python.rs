//! The Python interpreter that has the pinned packages, for tests that need one.
//! How it is made is said in `setup.sh` alone.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The interpreter, its packages installed if needed. None, and a word about
/// it, if `BURSAR_WITHOUT_PYTHON` is set.
pub fn interpreter() -> Option<PathBuf> {
    if env::var_os("BURSAR_WITHOUT_PYTHON").is_some() {
        eprintln!("left out: BURSAR_WITHOUT_PYTHON is set");
        return None;
    }
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/setup.sh");
    let made = Command::new("bash").arg(setup).stderr(Stdio::inherit()).output().expect("bash");
    assert!(
        made.status.success(),
        "no Python environment; see above, or set BURSAR_WITHOUT_PYTHON=1"
    );
    let path = String::from_utf8(made.stdout).expect("UTF-8");
    Some(PathBuf::from(path.trim_end()))
}
