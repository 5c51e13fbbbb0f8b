//! The dashboard and the alerts, in a real Prometheus that scrapes a keyfold which has had something of everything.

use std::time::Duration;

use keyfold_harness::app::{App, faulty};
use keyfold_harness::prometheus::Prometheus;
use keyfold_harness::record::Record;
use keyfold_harness::root;
use serde_json::Value;

/// Rates need two scrapes.
const RATES: Duration = Duration::from_secs(60);

/// Panels that show nothing while all is well, or without a registry.
const EMPTY_WHEN_ALL_IS_WELL: [&str; 8] = [
    "Alerts that fire",
    "Rejections",
    "Dead letters of the last hour",
    "Warnings",
    "Requests to the schema registry",
    "Partitions that wait for the registry",
    "Restore",
    "Partitions that nobody works at",
];

/// The queries of the dashboard, with the title of the panel, as Grafana would send them with nothing chosen.
fn queries() -> Vec<(String, String)> {
    let dashboard = std::fs::read(root().join("config/grafana/keyfold.json")).expect("a dashboard");
    let dashboard: Value = serde_json::from_slice(&dashboard).expect("JSON");
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        let title = panel["title"].as_str().expect("a title").to_owned();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().expect("an expression");
            let query = query.replace("$__rate_interval", "4s");
            let query = query.replace("\"$job\"", "\".*\"");
            let query = query.replace("\"$instance\"", "\".*\"");
            queries.push((title.clone(), query.replace("\"$source\"", "\".*\"")));
        }
    }
    queries
}

#[test]
fn a_real_prometheus_understands_the_dashboard_and_the_alerts() {
    let mut app = App::new();
    app.declare("crm", "customer_id = '/id'\n[fields]\nfirstName = '/name'");
    app.create();
    let mut keyfold = app.run_ready();
    let prometheus = Prometheus::scraping(keyfold.http_address());
    let records: Vec<Record> = app.stream(faulty(71, 200)).take(2_000).collect();
    app.client.produce(&records);
    app.wait_drained(&mut keyfold);

    let queries = queries();
    assert!(queries.len() > 35, "{}", queries.len());
    for (title, query) in &queries {
        let may_be_empty = EMPTY_WHEN_ALL_IS_WELL.contains(&title.as_str());
        keyfold.wait_for(RATES, &format!("to give {title} data: {query}"), |_| {
            let found = prometheus.query(query);
            let found = found.unwrap_or_else(|error| panic!("{title}: {query}: {error}"));
            (may_be_empty || !found.is_empty()).then_some(())
        });
    }
    let declared = prometheus.query("keyfold_input_records_total{source=\"crm\"}");
    assert_eq!(declared.expect("a result").len(), 1, "the declared source");

    keyfold.wait_for(RATES, "to have its alerts evaluated", |_| {
        let alerts = prometheus.alerts();
        let unknown = |(_, wrong): &(String, Option<String>)| {
            wrong
                .as_ref()
                .is_some_and(|wrong| wrong.contains("unknown"))
        };
        (!alerts.is_empty() && !alerts.iter().any(unknown)).then_some(())
    });
    for (alert, wrong) in prometheus.alerts() {
        assert_eq!(wrong, None, "{alert}");
    }
    // what pages somebody is silent when all is well; that codes are new is told
    let firing = prometheus
        .query("ALERTS{severity=\"page\"}")
        .expect("a result");
    assert_eq!(firing, Vec::<Value>::new());
    let new = prometheus.query("ALERTS{alertname=\"KeyfoldNewRejection\"}");
    assert!(!new.expect("a result").is_empty());
    assert_eq!(keyfold.terminate(), 0);
}
