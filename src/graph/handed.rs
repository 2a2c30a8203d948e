//! Calls that may change an object that they are handed, where nothing tells what they do.

use crate::graph::Graph;
use crate::summary::CallValue;

impl Graph<'_> {
    /// The name of a call that may assign fields of its argument `arg`: it leaves the tree, and no row describes it. A borrow that
    /// Rust code hands over shows in what is lowered.
    pub fn may_change(&self, call: &CallValue, arg: Option<u32>) -> Option<String> {
        arg?;
        if call.is_new || self.is_rust(call.site.span.file) || !self.targets(call).is_empty() {
            return None;
        }
        let path = self.callee_path(call);
        if path.as_ref().is_some_and(|path| self.is_described(path)) {
            return None;
        }
        let written = || {
            let text = self.sources.text(call.callee.span);
            text.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '$')).collect::<String>()
        };
        let is_name = |name: &String| name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'));
        let last = |path: String| path.rsplit(['.', '#']).next().map(str::to_owned);
        let name =
            call.method().map(str::to_owned).or_else(|| path.and_then(last)).filter(is_name).unwrap_or_else(written);
        Some(if name.is_empty() { "a function".to_owned() } else { format!("{name}()") })
    }

    /// Whether a row tells what the callable at `path` does.
    fn is_described(&self, path: &str) -> bool {
        let rules = self.rules;
        rules.leaves_matching(path).next().is_some()
            || rules.passes_matching(path).next().is_some()
            || rules.writes_matching(path).next().is_some()
            || rules.reads_matching(path).next().is_some()
            || rules.mints_matching(path).next().is_some()
            || rules.receivers_matching(path).next().is_some()
            || rules.callbacks_matching(path).next().is_some()
            || rules.sqls_matching(path).next().is_some()
    }
}
