//! The live half against real servers.

use crate::servers::servers;

#[test]
fn the_servers_of_the_tests_start() {
    let Some(servers) = servers() else { return };
    assert!(servers.get("PG_STANDBY").starts_with("postgres://"));
}
