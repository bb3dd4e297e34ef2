//! The project's chores: `cargo xtask demo`, `bundle`, `dist`, `test` and `serve`.

mod bundle;
mod command;
mod compression;
mod demo;
mod dist;
mod machine;
mod page;
mod steps;
mod test;
mod tools;
mod weights;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use test::Part;
use xtask::serve::Server;

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build the page, getting what is missing, and serve it on this machine
    Demo {
        /// Port on 127.0.0.1; 0 takes any free one
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Get and build everything, then stop
        #[arg(long)]
        no_serve: bool,
    },
    /// Build the page as one HTML file that runs by a double click, without a server
    Bundle {
        /// Where to write it; `hangtag.html` in the project's folder if not given
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Make the folder to put on a web server, and say what its files weigh
    Dist {
        /// The folder; what an earlier run has put there is replaced
        #[arg(long, default_value = "site")]
        out: PathBuf,
    },
    /// Run everything that has to hold before a change goes in
    Test {
        /// Run only this part; may be given several times
        #[arg(long, value_name = "PART")]
        only: Vec<Part>,
        /// Leave this part out; may be given several times
        #[arg(long, value_name = "PART")]
        skip: Vec<Part>,
        /// Name the parts and stop
        #[arg(long)]
        list: bool,
    },
    /// Serve a folder on this machine as the page is served
    Serve {
        /// The folder
        #[arg(long, default_value = "dist")]
        dir: PathBuf,
        /// Port on 127.0.0.1; 0 takes any free one
        #[arg(long, default_value_t = 8080)]
        port: u16,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> anyhow::Result<()> {
    match chore {
        Chore::Demo { port, no_serve } => demo::demo(port, !no_serve),
        Chore::Bundle { out } => bundle::bundle(out),
        Chore::Dist { out } => dist::dist(&out),
        Chore::Test { list: true, .. } => {
            test::list();
            Ok(())
        }
        Chore::Test { only, skip, .. } => test::test(&test::selected(&only, &skip)),
        Chore::Serve { dir, port } => {
            let server = Server::start(&dir, port)?;
            println!("{}   (Ctrl+C ends it)", server.url());
            server.wait();
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn parts_may_be_repeated() {
        let words = ["cargo xtask", "test", "--only", "native", "--only", "end-to-end"];
        let Chore::Test { only, .. } = Arguments::parse_from(words).chore else {
            panic!("test was asked for")
        };
        assert_eq!(only, [Part::Native, Part::EndToEnd]);
    }
}
