//! Compiles `proto/` without a system protoc: messages, services, validators
//! from the contract's `buf.validate` annotations, and the descriptor set that
//! reflection and the command line use. Brings the published policies along.

#[path = "build/contract.rs"]
mod contract;
#[path = "build/published.rs"]
mod published;

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=policies");
    let mut files: Vec<PathBuf> = fs::read_dir("proto/bursar/v1")?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    // Callers decode statuses by reflection.
    files.push("proto/google/rpc/error_details.proto".into());

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(&files)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // `file_descriptor_set()` drops custom options; the encoded form keeps them.
    let descriptors = compiler.encode_file_descriptor_set();
    fs::write(out.join("bursar_descriptor.bin"), &descriptors)?;
    fs::write(out.join("bursar_contract.rs"), contract::generate(&descriptors, "bursar.v1")?)?;

    fs::write(out.join("published.rs"), published::generate(Path::new("policies"))?)?;

    let mut config = tonic_prost_build::Config::new();
    // Maps in key order: fingerprints and tests depend on equal bytes for equal content.
    config.btree_map(["."]);
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        .compile_fds_with_config(compiler.file_descriptor_set(), config)?;
    Ok(())
}
