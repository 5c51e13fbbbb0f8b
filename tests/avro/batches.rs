//! A batch of the publisher in Avro is cut to some of its elements without being decoded: it says what the same batch in JSON
//! says, whatever schema it was written with.

use apache_avro::Schema;
use keyfold::avro::{Plan, list_parts, to_json};
use keyfold::model::record::Source;
use keyfold_harness::avro_evolution::{self, Evolved};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

const SOURCE: Source = Source::PublisherCustomers;

/// The example of the source with these customers.
fn batch(ids: &[&str]) -> Value {
    let text = std::fs::read("schemas/examples/valid/publisher-customers/source-example.json");
    let mut batch = crate::parsed(&text.unwrap());
    let customer = batch["customers"][0].clone();
    let customers = ids.iter().map(|id| {
        let mut customer = customer.clone();
        customer["sourceCustomerId"] = json!(id);
        customer
    });
    batch["customers"] = customers.collect();
    batch
}

#[test]
fn a_batch_is_cut_by_any_writer_schema() {
    const MAX_TEXTS: usize = 1 << 20;
    let mut random = StdRng::seed_from_u64(6);
    for evolution in crate::evolutions() {
        let evolved = Evolved::of(&crate::reader(SOURCE), evolution, &mut random);
        let schema = Schema::parse_str(&evolved.text).unwrap();
        let plan = Plan::compile(SOURCE, &evolved.text, &[]).unwrap();
        let written = |ids: &[&str]| {
            let value = evolved.value(Some(&batch(ids)), &schema).unwrap();
            avro_evolution::written(&schema, value)
        };
        let bytes = written(&["a", "b", "c"]);
        let parts = list_parts(&plan, &["customers"], &bytes).unwrap();
        assert_eq!(parts.items.len(), 3);
        for (keep, ids) in [
            ([true, true, true], &["a", "b", "c"][..]),
            ([true, false, true], &["a", "c"]),
            ([false, true, false], &["b"]),
            ([false, false, false], &[]),
        ] {
            let cut = to_json(&plan, &parts.with(&keep), MAX_TEXTS).unwrap();
            let expected = to_json(&plan, &written(ids), MAX_TEXTS).unwrap();
            assert_eq!(cut, expected, "{keep:?}: {}", evolved.text);
        }
        assert!(list_parts(&plan, &["accounts"], &bytes).is_err());
        assert!(list_parts(&plan, &["customers", "x"], &bytes).is_err());
    }
}
