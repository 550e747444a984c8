//! What forbids a target. Checked after the rules, for every target, whatever its order.

/// Why a target was dropped; the word in `explain`, in the error and in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    /// `only-edge` or `only-cloud` was asked for.
    Placement,
    /// `local-only`: cloud is forbidden; `no-retention`: cloud is forbidden while redaction is not available.
    Privacy,
    /// Prompt and answer do not fit.
    Context,
    /// The prompt holds an image, audio or a file that the model does not take.
    Modality,
    /// The request has tools, the model cannot call them.
    Tools,
    /// The model is past its `retires_on`.
    Retired,
}
