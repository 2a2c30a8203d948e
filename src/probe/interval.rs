//! How sure a share is that was seen in a sample.

/// The normal quantile of a two-sided 95 % interval.
const Z: f64 = 1.959_964;

/// The 95 % Wilson interval of a share seen in `effective` independent rows; everything where there are none.
///
/// # Source
/// E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
pub(crate) fn wilson(share: f64, effective: f64) -> [f64; 2] {
    if effective <= 0.0 {
        return [0.0, 1.0];
    }
    let z2 = Z * Z / effective;
    let middle = (share + z2 / 2.0) / (1.0 + z2);
    let half = Z / (1.0 + z2) * (share * (1.0 - share) / effective + z2 / (4.0 * effective)).sqrt();
    // The formula leaves a rounding error where nothing or everything was seen.
    let low = if share <= 0.0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if share >= 1.0 { 1.0 } else { (middle + half).min(1.0) };
    [low, high]
}

/// What a sample of `effective` rows is worth that has `rows` of them where it should have `hidden` more: keys lie closer in some stretch
/// than in the rest, and nobody has seen what is there.
///
/// With `u` the hidden share, the Wilson interval of `z² (1 - u) / u` rows around a share `p` holds all that the whole can be: from
/// `p (1 - u)`, where no hidden row is a hit, to `p (1 - u) + u`, where each is.
pub(crate) fn beside_hidden(effective: f64, rows: u64, hidden: u64) -> f64 {
    let share = number(hidden) / number(rows.saturating_add(hidden).max(1));
    if share > 0.0 { effective.min(Z * Z * (1.0 - share) / share) } else { effective }
}

/// How many independent rows a cluster sample is worth: rows of one block or key range were written at about the same time, and
/// are alike. `clusters` are rows and hits of each cluster that was drawn; clusters without such rows do not matter.
///
/// The variance is that of the ratio estimator over clusters (W. G. Cochran, Sampling Techniques, 3rd ed., section 9A.2). Where no row
/// or every row is a hit there is no variance to see, and each cluster counts once.
pub(crate) fn effective_rows(clusters: &[(u64, u64)]) -> f64 {
    let clusters: Vec<(f64, f64)> =
        clusters.iter().filter(|(rows, _)| *rows > 0).map(|(rows, hits)| (number(*rows), number(*hits))).collect();
    let drawn = number(clusters.len() as u64);
    let rows: f64 = clusters.iter().map(|(rows, _)| rows).sum();
    let hits: f64 = clusters.iter().map(|(_, hits)| hits).sum();
    if drawn < 2.0 {
        return drawn;
    }
    let share = hits / rows;
    if hits <= 0.0 || hits >= rows {
        return drawn;
    }
    let squares: f64 = clusters.iter().map(|(rows, hits)| (hits - share * rows).powi(2)).sum();
    let variance = drawn / (drawn - 1.0) * squares / (rows * rows);
    // No cluster sample is taken for better than independent rows, however even it looks.
    if variance <= 0.0 { rows } else { (share * (1.0 - share) / variance).min(rows) }
}

/// Exact up to 2^53, which no table has.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(crate) fn number(of: u64) -> f64 {
    of as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: [f64; 2], right: [f64; 2]) {
        assert!((left[0] - right[0]).abs() < 6e-5 && (left[1] - right[1]).abs() < 6e-5, "{left:?} {right:?}");
    }

    #[test]
    fn intervals_are_those_of_the_tables() {
        near(wilson(0.5, 30_000.0), [0.4943, 0.5057]);
        near(wilson(0.01, 30_000.0), [0.0089, 0.0112]);
        near(wilson(0.05, 300.0), [0.0305, 0.0808]);
        near(wilson(0.0, 300.0), [0.0, 0.0126]);
        near(wilson(1.0, 300.0), [0.9874, 1.0]);
        near(wilson(0.3, 0.0), [0.0, 1.0]);
    }

    #[test]
    fn an_interval_holds_what_hidden_rows_can_make_of_the_share() {
        for (seen, hits, hidden) in [(1900, 0, 8100), (1900, 1900, 8100), (9000, 450, 1000), (9900, 9000, 100)] {
            let all = number(seen + hidden);
            let [low, high] = wilson(number(hits) / number(seen), beside_hidden(1e9, seen, hidden));
            assert!(low <= number(hits) / all + 1e-9 && high >= number(hits + hidden) / all - 1e-9, "{low} {high}");
        }
        assert!(beside_hidden(70.0, 100, 0) >= 70.0);
        assert!(beside_hidden(70.0, 0, 100) <= 0.0);
    }

    #[test]
    fn rows_that_come_in_blocks_of_one_kind_count_once_a_block() {
        let alike: Vec<(u64, u64)> = (0..100).map(|n| (50, if n % 2 == 0 { 50 } else { 0 })).collect();
        let worth = effective_rows(&alike);
        assert!((90.0..=110.0).contains(&worth), "{worth}");
        let mixed: Vec<(u64, u64)> = (0..100).map(|_| (50, 25)).collect();
        assert!(effective_rows(&mixed) > 4999.0);
        assert!((effective_rows(&[(50, 0); 100]) - 100.0).abs() < 1e-9);
        assert!(effective_rows(&[]) < 1.0);
    }

    /// Draws clusters of correlated rows from known populations: the interval covers the truth about as often as it says.
    #[test]
    fn the_interval_of_a_cluster_sample_covers_the_truth() {
        let mut state = 7_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            number(state >> 11) / number(1 << 53)
        };
        for share in [0.05, 0.3, 0.5, 0.9] {
            let covered = (0..500).filter(|_| {
                let clusters: Vec<(u64, u64)> = (0..200)
                    .map(|_| {
                        // Half of the rows of a cluster follow its first one.
                        let first = random() < share;
                        let hits = (0..40).filter(|n| if n % 2 == 0 { first } else { random() < share }).count();
                        (40, hits as u64)
                    })
                    .collect();
                let hits: u64 = clusters.iter().map(|(_, hits)| hits).sum();
                let [low, high] = wilson(number(hits) / 8000.0, effective_rows(&clusters));
                (low..=high).contains(&share)
            });
            let covered = covered.count();
            assert!((455..=495).contains(&covered), "{share}: {covered} of 500");
        }
    }
}
