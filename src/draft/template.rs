//! `{{name}}` in a template -> what stands for it.

/// Fills every hole of `template`. A hole that nobody fills stays as it is, which a test of each template finds.
pub(crate) fn fill(template: &str, holes: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    // One pass, so that a value with braces in it is not filled again.
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let hole = after.split_once("}}").and_then(|(name, after)| {
            let value = holes.iter().find(|(known, _)| *known == name)?.1;
            Some((value, after))
        });
        rest = if let Some((value, after)) = hole {
            out.push_str(value);
            after
        } else {
            out.push_str("{{");
            after
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn a_value_is_put_in_once_and_not_read_again() {
        assert_eq!(fill("a {{x}} {{y}} {{z}}", &[("x", "{{y}}"), ("y", "1")]), "a {{y}} 1 {{z}}");
    }
}
