//! Writes the JSON Schemas and the OpenAPI document into a folder: `schema DIR`.

use socktrace_api::schema::{openapi, schemas};
use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| std::io::Error::other("usage: schema DIR"))?;
    std::fs::create_dir_all(&folder)?;
    for (name, value) in schemas().into_iter().chain([("openapi", openapi())]) {
        std::fs::write(Path::new(&folder).join(name).with_extension("json"), format!("{value:#}\n"))?;
    }
    Ok(())
}
