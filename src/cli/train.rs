//! `tidegate train routing`: a difficulty model from one's own labelled prompts.
//!
//! What a reader could get wrong: what is printed was measured on rows held out in turn, beside the shipped model on the same rows; if the
//! shipped one is better, use that.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use super::eval::{self, report, routing};
use crate::learn::metrics::Report;
use crate::learn::{Options, Progress, Trained, train_routing};
use crate::signals::Calibration;
use crate::signals::calibration::Point;

/// What is trained.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    /// JSONL of `{prompt | messages, edge_ok, cloud_ok}`: true, false or 0 to 1. Some hundred rows move the shipped model, some thousand replace it.
    #[arg(value_name = "DATA.jsonl", required = true)]
    data: Vec<PathBuf>,
    /// Where the model goes; an older one there is replaced.
    #[arg(short, long, value_name = "MODEL")]
    output: PathBuf,
    /// Write what each threshold is worth, for `threshold: {target_quality: …, calibration: FILE}`.
    #[arg(long, value_name = "FILE.json")]
    calibration: Option<PathBuf>,
    /// The same rows and seed give the same model, to the bit.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Trains; gives the exit status.
pub fn run(args: &TrainArgs) -> u8 {
    let trained = match train(args) {
        Ok(trained) => trained,
        Err(problem) => return eval::wrong(&problem),
    };
    let replaced = if args.output.exists() { ", in place of the one that was there" } else { "" };
    let written = write(&args.output, &trained.model.to_bytes()).and_then(|()| match &args.calibration {
        Some(path) => write(path, calibration(&trained).as_bytes()),
        None => Ok(()),
    });
    if let Err(problem) = written {
        eprintln!("{problem}");
        return super::ENVIRONMENT;
    }
    let mut text = report::table("held out", &trained.held_out);
    text.push_str(&report::reliability(&trained.held_out));
    text.push('\n');
    text.push_str(&beside_shipped(&trained));
    let starts = if trained.from_shipped { "started from the shipped weights" } else { "started from nothing" };
    let (output, identity) = (args.output.display(), trained.model.identity());
    text.push_str(&format!("\n{output} written{replaced}: model {identity}, {starts}\n"));
    text.push_str(&format!("use it with  difficulty_model: {}\n", args.output.display()));
    eval::show(&text)
}

/// How the shipped model does, on rows that it has not learned from itself.
fn beside_shipped(trained: &Trained) -> String {
    let (known, strange) = (trained.known, trained.shipped.rows);
    let told = match (known, strange) {
        (0, _) => return report::table("the shipped model on the same rows", &trained.shipped),
        (_, 0) => {
            return "the shipped model has learned from all of these rows: they say nothing about it\n".to_owned();
        }
        (known, _) => format!("the shipped model on the other rows; from {known} of them it has learned itself"),
    };
    report::table(&told, &trained.shipped)
}

fn train(args: &TrainArgs) -> Result<Trained, String> {
    let (rows, _) = routing::read(&args.data)?;
    let live = std::io::stderr().is_terminal();
    let mut progress = |Progress { done, of }: Progress| {
        if live {
            eprint!("\rtraining {done}/{of} ");
        }
    };
    let trained = train_routing(&rows, &Options { seed: args.seed }, &mut progress);
    if live {
        eprint!("\r                        \r");
    }
    trained.map_err(|error| error.to_string())
}

fn calibration(trained: &Trained) -> String {
    let point = |point: &crate::signals::classifier::CalibrationPoint| Point {
        threshold: point.threshold.into(),
        cloud_share: point.cloud_share.into(),
        quality: point.quality.into(),
        cost_usd: None,
    };
    let Report { rows, edge_accuracy, cloud_accuracy, .. } = trained.held_out;
    let mut points: Vec<Point> = trained.model.calibration().iter().map(point).collect();
    if points.last().is_some_and(|last| last.threshold < 1.0) {
        // Everything at the edge.
        points.push(Point {
            threshold: 1.0,
            cloud_share: 0.0,
            quality: edge_accuracy / cloud_accuracy,
            cost_usd: None,
        });
    }
    let calibration = Calibration {
        model: trained.model.identity().to_owned(),
        written: jiff::Zoned::now().date().to_string(),
        rows,
        edge_quality: edge_accuracy,
        cloud_quality: cloud_accuracy,
        points,
    };
    eval::pretty(&calibration)
}

/// Whole or not at all: a gateway may be watching the file.
///
/// # Errors
/// It cannot be written, and why.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = path.with_file_name(format!(".{name}.new"));
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        // Before the rename: a crash must not leave an empty file under the name.
        file.sync_all()?;
        std::fs::rename(&beside, path)
    });
    written.map_err(|error| {
        // What is half written helps nobody; it may never have been there.
        let _ = std::fs::remove_file(&beside);
        format!("{}: {error}", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.bin");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        // A folder cannot be replaced by a file.
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        assert!(write(&taken, b"new").unwrap_err().starts_with(&taken.display().to_string()));
        assert!(write(&folder.path().join("none/model.bin"), b"new").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
