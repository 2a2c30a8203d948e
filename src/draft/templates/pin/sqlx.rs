//! tokendrift-pin: {{column}} {{contract}}
//!
//! Runs after the tests that log in, against the database that they have filled: `DATABASE_URL`.

use sqlx::{Connection, {{connection}}};

/// {{promise}}
#[test]
fn {{name}}() {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL names the database that the tests have filled");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let broken_rows: i64 = runtime.block_on(async {
        let mut connection = {{connection}}::connect(&url).await.expect("the database answers");
        let select = {{literal}};
        sqlx::query_scalar(select).fetch_one(&mut connection).await.expect("the query runs")
    });
    assert_eq!(broken_rows, 0, "rows that break the contract");
}
