//! The codec of states, as the state topic and the stores hold them.

use std::sync::LazyLock;

use keyfold::config::Config;
use keyfold::customer::codec::{CodecError, LAYOUT};
use keyfold::customer::contribution::{Data, Erasure};
use keyfold::customer::snapshot::{self, View};
use keyfold::customer::{Customer, EncodedState, Keep};
use keyfold::model::record::{DeclaredSource, Source};
use keyfold::model::time::Instant;

/// A source that states of the corpus have data of.
static CRM: LazyLock<DeclaredSource> = LazyLock::new(|| DeclaredSource::new("crm"));

/// Any bytes are a state or refused. A state is the same when it is written and read again, and everything that is
/// done with one can be done with it.
pub fn decode(bytes: &[u8]) {
    let customer = match Customer::decode(bytes) {
        Ok(customer) => customer,
        Err(CodecError::Layout(layout)) => {
            assert!(layout < LAYOUT && bytes.first() == Some(&layout));
            return;
        }
        Err(CodecError::Later { major, minor }) => {
            assert!(bytes[0] > LAYOUT && bytes[1..3] == [major, minor]);
            return;
        }
        Err(CodecError::Damaged) => return,
    };
    let written = encode(&customer);
    assert_eq!(Customer::decode(written.clone()), Ok(customer.clone()));
    assert!(written.len() <= bytes.len());

    for (union, deleted_is_null) in [(false, false), (true, true)] {
        let view = View {
            union,
            deleted_is_null,
            ..View::of(&Config::default())
        };
        snapshot::write(&customer, "c", &view, &mut Vec::new());
    }
    for only in [None, Some(Source::Declared(*CRM))] {
        let mut erased = customer.clone();
        erased.join(
            Data::erasure(Erasure {
                only,
                at: Instant::from_millis(1_800_000_000_000),
            }),
            Keep::of(&Config::default()),
        );
        let written = encode(&erased);
        assert_eq!(Customer::decode(written.clone()), Ok(erased.clone()));
        erased.merge(customer.clone(), Keep::of(&Config::default()));
        encode(&erased);
    }
}

fn encode(customer: &Customer) -> EncodedState {
    let mut bytes = Vec::new();
    customer.encode(&mut bytes);
    bytes.into()
}
