//! TEXT, FILE or '-': what the user wants read.

use std::fs;
use std::io::{Read, stdin};
use std::path::Path;

use anyhow::{Context, Result};
use hangtag_products::{Encoding, Form, ListError, Products, csv_of_workbook};

use crate::args::{ExtractArgs, InputFormat};
use crate::failure::bad_input;

/// What to extract from.
pub enum Input {
    /// One product text; not blank.
    Text(String),
    /// A list of products, the name of where it came from, and the column with the texts.
    Products { name: String, products: Products, text_column: String },
}

/// Reads the input that the arguments name. An existing path is a file; everything else but '-' is itself the text.
pub fn read(args: &ExtractArgs) -> Result<Input> {
    let path = Path::new(&args.input);
    let (name, bytes) = if args.input == "-" {
        let mut bytes = Vec::new();
        stdin().read_to_end(&mut bytes).context("reading standard input")?;
        ("standard input".to_owned(), bytes)
    } else if path.is_dir() {
        return Err(bad_input(format!("{}: this is a folder", args.input))
            .hint("name a file, or give the product text itself in quotes")
            .into());
    } else if path.exists() {
        let bytes =
            fs::read(path).map_err(|error| bad_input(format!("{}: {error}", args.input)))?;
        (args.input.clone(), bytes)
    } else if looks_like_a_file(&args.input) {
        return Err(bad_input(format!("{}: no such file", args.input))
            .hint("check the name; to use these very words as the text, pipe them: echo ... | hangtag extract -")
            .into());
    } else {
        ("the text".to_owned(), args.input.clone().into_bytes())
    };
    let format = args.input_format.unwrap_or_else(|| format_of(path));
    let bytes = match extension(path).as_str() {
        "xlsx" | "xlsm" if path.exists() => {
            csv_of_workbook(&bytes).map_err(|error| bad_input(format!("{name}: {error}")))?
        }
        _ => bytes,
    };
    match format {
        InputFormat::Text => Ok(Input::Text(text(&name, bytes)?)),
        InputFormat::Csv => list(name, Products::from_csv(&bytes), &args.text_column),
        InputFormat::Jsonl => list(name, Products::from_jsonl(&bytes), &args.text_column),
    }
}

fn list(name: String, read: Result<Products, ListError>, text_column: &str) -> Result<Input> {
    let products = read.map_err(|error| bad_input(format!("{name}: {error}")))?;
    let text_column = match (products.column(text_column), products.form) {
        (Some(column), _) => column.to_owned(),
        // Each object has members of its own.
        (None, Form::Jsonl) => text_column.to_owned(),
        (None, Form::Csv) => {
            return Err(bad_input(format!("{name}: no column named {text_column:?}"))
                .hint(format!(
                    "its columns are {}; name the one with the product text: --text-column NAME",
                    quoted(&products.columns)
                ))
                .into());
        }
    };
    if !matches!(products.encoding, Encoding::Utf8) {
        eprintln!("note: {name} is read as {}", products.encoding.name());
    }
    Ok(Input::Products { name, products, text_column })
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    names.join(", ")
}

fn format_of(path: &Path) -> InputFormat {
    match extension(path).as_str() {
        "csv" | "tsv" | "xlsx" | "xlsm" if path.exists() => InputFormat::Csv,
        "jsonl" | "ndjson" if path.exists() => InputFormat::Jsonl,
        _ => InputFormat::Text,
    }
}

/// One word that ends like a file's name is a mistyped file, not a product.
fn looks_like_a_file(input: &str) -> bool {
    !input.contains(char::is_whitespace)
        && matches!(
            extension(Path::new(input)).as_str(),
            "csv" | "tsv" | "xlsx" | "xlsm" | "jsonl" | "ndjson" | "txt" | "json" | "md"
        )
}

fn extension(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default();
    extension.to_string_lossy().to_ascii_lowercase()
}

fn text(name: &str, bytes: Vec<u8>) -> Result<String> {
    let text = String::from_utf8(bytes).map_err(|error| {
        bad_input(format!("{name}: not UTF-8 text (at byte {})", error.utf8_error().valid_up_to()))
            .hint("save it as UTF-8")
    })?;
    let text = text.trim_start_matches('\u{FEFF}').to_owned();
    if text.trim().is_empty() {
        return Err(bad_input(format!("{name} is empty"))
            .hint("give the product's description, a file that holds it, or '-' for standard input")
            .into());
    }
    Ok(text)
}
