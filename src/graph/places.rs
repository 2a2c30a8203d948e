//! Routes that files have by their place.

/// `apps/web/app/api/login/route.ts` -> `api/login`.
pub(super) fn route_of_file(path: &str) -> String {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let below = ["app/", "pages/", "routes/"]
        .iter()
        .filter_map(|root| {
            stem.rfind(root).filter(|at| *at == 0 || stem.as_bytes()[at - 1] == b'/').map(|at| at + root.len())
        })
        .min()
        .map_or(stem, |at| &stem[at..]);
    let parts = below
        .split('/')
        .filter(|part| !part.starts_with(['(', '+']) && !matches!(*part, "route" | "index" | "page" | "layout"));
    parts.collect::<Vec<_>>().join("/")
}

/// `app/routes/_auth.account.$id.tokens/route.tsx` -> `account/:id/tokens`.
pub(super) fn route_of_name(path: &str) -> String {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let below = stem.rsplit_once("routes/").map_or(stem, |(_, below)| below);
    let parts = below.strip_suffix("/route").unwrap_or(below).split(['.', '/']);
    let shown = parts.filter(|part| !part.starts_with('_') && *part != "index").map(|part| {
        let part = part.trim_end_matches('_').trim_start_matches('(').trim_end_matches(')');
        part.strip_prefix('$').map_or_else(|| part.to_owned(), |name| format!(":{name}"))
    });
    shown.collect::<Vec<_>>().join("/")
}
