//! Rows, metrics and training on rows made for it.

use super::metrics::{Curve, Labels, auc, length_matched_auc};
use super::*;
use crate::signals::classifier::Classifier;

/// Prompts on bridges gain by the cloud, prompts on bread do not; three shapes of each.
fn rows(count: usize) -> Vec<Row> {
    let mut lines = String::new();
    for at in 0..count {
        let (what, edge) =
            if at % 2 == 0 { ("the bridge's resonance", at % 10 == 0) } else { ("a loaf of bread", at % 9 != 0) };
        let prompt = match at % 3 {
            0 => format!("Tell me about {what}, case {at}"),
            1 => format!("I have been asked, on case {at}, to explain {what} to my class"),
            _ => format!("{what}: what matters in case {at}?"),
        };
        lines.push_str(&serde_json::json!({"prompt": prompt, "edge_ok": edge, "cloud_ok": true}).to_string());
        lines.push('\n');
    }
    read_rows(&lines).unwrap()
}

#[test]
fn rows_are_read_as_requests_are() {
    let rows = read_rows(
        "{\"prompt\": \"a\\nb\", \"edge_ok\": true, \"cloud_ok\": 0.5}\n\n{\"messages\": [{\"role\": \"system\", \"content\": \"s\"}, \
         {\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"u\"}]}], \"edge_ok\": 0, \"cloud_ok\": 1}\n",
    )
    .unwrap();
    assert_eq!((rows[0].edge_ok, rows[0].cloud_ok, rows[1].edge_ok, rows[1].cloud_ok), (1.0, 0.5, 0.0, 1.0));
    let texts =
        |row: &Row| row.prompt.passages().map(|p| String::from_utf8(p.text.to_vec()).unwrap()).collect::<Vec<_>>();
    assert_eq!(texts(&rows[0]), ["a\\nb"]);
    assert_eq!(texts(&rows[1]), ["s", "u"]);
    assert_eq!(rows[1].prompt.circumstances().turns, 1);
}

#[test]
fn a_bad_row_is_named_by_its_line_and_not_quoted() {
    let good = "{\"prompt\": \"secret\", \"edge_ok\": true, \"cloud_ok\": true}\n";
    for (bad, says) in [
        ("{\"prompt\": \"secret\"", "no JSON"),
        ("{\"prompt\": \"secret\", \"cloud_ok\": true}", "`edge_ok` is missing"),
        (
            "{\"prompt\": \"secret\", \"edge_ok\": 2, \"cloud_ok\": true}",
            "`edge_ok` is 2; write true, false or a number from 0 to 1",
        ),
        ("{\"prompt\": \"secret\", \"edge_ok\": \"yes\", \"cloud_ok\": true}", "`edge_ok` is no number"),
        ("{\"edge_ok\": 1, \"cloud_ok\": 1}", "neither `prompt` nor `messages`"),
        ("{\"prompt\": [1], \"edge_ok\": 1, \"cloud_ok\": 1}", "`prompt` is no string"),
        ("{\"messages\": 7, \"edge_ok\": 1, \"cloud_ok\": 1}", "`messages`"),
    ] {
        let why = read_rows(&format!("{good}\n{bad}\n")).unwrap_err().to_string();
        assert!(why.starts_with("line 3: ") && why.contains(says) && !why.contains("secret"), "{why}");
    }
}

fn labelled(outcomes: &[(u8, u8)]) -> Vec<Row> {
    let line = |(edge, cloud)| format!("{{\"prompt\": \"x\", \"edge_ok\": {edge}, \"cloud_ok\": {cloud}}}\n");
    read_rows(&outcomes.iter().copied().map(line).collect::<String>()).unwrap()
}

/// Ten rows, the cloud right on all, the edge on those with low scores: by hand.
#[test]
fn apgr_and_cpt_are_as_routellm_defines_them() {
    let rows = labelled(&[(1, 1), (1, 1), (1, 1), (1, 1), (1, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1)]);
    let scores: Vec<f64> = (0..10).map(f64::from).collect();
    let perfect = Curve::of(&scores, &Labels::of(&rows));
    assert_eq!(perfect.points.first(), Some(&(0.0, 0.5)));
    assert_eq!(perfect.points.last(), Some(&(1.0, 1.0)));
    // numpy: the thresholds of qcut(range(10), 10) send 10, 9, …, 1, 0 of the ten; trapezoids over (share, accuracy).
    let row = perfect.row();
    assert!((row.apgr.unwrap() - 0.75).abs() < 1e-9, "{row:?}");
    assert!((row.cpt50.unwrap() - 0.25).abs() < 1e-9 && (row.cpt80.unwrap() - 0.4).abs() < 1e-9, "{row:?}");
    let reversed: Vec<f64> = scores.iter().map(|score| -score).collect();
    assert!((Curve::of(&reversed, &Labels::of(&rows)).row().apgr.unwrap() - 0.25).abs() < 1e-9);
    let report = metrics::report(&scores, &rows);
    assert!((report.oracle.apgr.unwrap() - 0.75).abs() < 1e-9);
    assert_eq!((report.random.apgr, report.random.cpt80), (Some(0.5), Some(0.8)));
    assert_eq!((report.edge_accuracy, report.cloud_accuracy, report.rows), (0.5, 1.0, 10));
}

#[test]
fn without_a_gap_there_are_no_figures_and_no_nonsense() {
    for outcomes in [&[(1, 1), (0, 0)][..], &[(1, 0), (1, 1)], &[]] {
        let rows = labelled(outcomes);
        let report = metrics::report(&vec![0.5; rows.len()], &rows);
        assert_eq!((report.apgr, report.random.apgr, report.oracle.cpt50), (None, None, None));
        assert!(report.calibration_error.is_finite());
    }
    let tied = metrics::report(&[0.5; 4], &labelled(&[(0, 1), (1, 1), (0, 0), (0, 1)]));
    assert!((tied.apgr.unwrap() - 0.5).abs() < 1e-9, "all tied is chance: {tied:?}");
}

#[test]
fn pairs_in_the_right_order_are_counted() {
    let yes = [true, false, true, false];
    assert_eq!(auc(&[4.0, 1.0, 3.0, 2.0], &yes), 1.0);
    assert_eq!(auc(&[4.0, 3.0, 1.0, 2.0], &yes), 0.5);
    assert_eq!(auc(&[1.0; 4], &yes), 0.5);
    assert_eq!(length_matched_auc(&[4.0, 5.0, 3.0, 2.0], &[10.0, 90.0, 10.0, 11.0], &yes, 1.2), 1.0);
}

#[test]
fn calibration_is_measured_in_ten_bins() {
    let bins = calibrate::reliability(&[0.05, 0.05, 0.95, 1.0], &[0.0, 1.0, 1.0, 1.0]);
    assert_eq!(bins.iter().map(|bin| bin.rows).collect::<Vec<_>>(), [2, 2]);
    assert!((calibration_error(&bins) - (0.45 + 0.025) / 2.0).abs() < 1e-9, "{bins:?}");
}

#[test]
fn a_model_is_learned_from_some_hundred_rows_and_twice_the_same() {
    let rows = rows(240);
    let mut seen = vec![];
    let trained = train_routing(&rows, &Options::default(), &mut |progress| seen.push(progress)).unwrap();
    assert!(trained.held_out.apgr.unwrap() > 0.65, "the oracle has 0.77: {:?}", trained.held_out);
    assert!(trained.held_out.apgr > trained.shipped.apgr && trained.held_out.calibration_error < 0.1, "{trained:?}");
    assert_eq!(seen.last().map(|progress| progress.done), seen.last().map(|progress| progress.of));
    assert!(trained.model.calibration().len() > 2);
    let again = train_routing(&rows, &Options::default(), &mut |_| ()).unwrap();
    assert_eq!(again.model.to_bytes(), trained.model.to_bytes());
    let read = Classifier::from_bytes(&trained.model.to_bytes()).unwrap();
    assert_eq!(evaluate(&read, &rows), evaluate(&trained.model, &rows));
    assert!(evaluate(&read, &rows).apgr.unwrap() > 0.65);
}

#[test]
fn what_cannot_be_learned_from_is_refused() {
    let error = |rows: &[Row]| train_routing(rows, &Options::default(), &mut |_| ()).unwrap_err().to_string();
    assert_eq!(error(&rows(12)), "12 rows are too few to learn from; label at least 50");
    assert!(error(&labelled(&[(1, 1); 60])).starts_with("only 0 rows have an edge_ok other than their cloud_ok"));
}
