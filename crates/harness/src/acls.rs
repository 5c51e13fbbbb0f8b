//! What a user may do on a broker with an authorizer. The Rust binding does not know of it.

use std::ffi::{CStr, CString};
use std::ptr::null_mut;

use rdkafka::bindings as rd;
use rdkafka::types::RDKafkaType;

use crate::client::Client;
use rd::rd_kafka_AclOperation_t as Op;
use rd::rd_kafka_ResourceType_t as Kind;

pub use rd::rd_kafka_AclOperation_t::{
    RD_KAFKA_ACL_OPERATION_DELETE as DELETE, RD_KAFKA_ACL_OPERATION_DESCRIBE as DESCRIBE,
    RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS as DESCRIBE_CONFIGS,
    RD_KAFKA_ACL_OPERATION_READ as READ, RD_KAFKA_ACL_OPERATION_WRITE as WRITE,
};

/// A permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    kind: Kind,
    pub name: String,
    prefixed: bool,
    pub operation: Op,
}

impl Acl {
    pub fn topic(name: &str, operation: Op) -> Acl {
        Acl {
            kind: Kind::RD_KAFKA_RESOURCE_TOPIC,
            name: name.to_owned(),
            prefixed: false,
            operation,
        }
    }

    pub fn group(name: &str, operation: Op) -> Acl {
        Acl {
            kind: Kind::RD_KAFKA_RESOURCE_GROUP,
            ..Acl::topic(name, operation)
        }
    }

    /// As arguments of `kafka-acls.sh`.
    pub fn arguments(&self) -> String {
        let operation = match self.operation {
            READ => "Read",
            WRITE => "Write",
            DESCRIBE => "Describe",
            DESCRIBE_CONFIGS => "DescribeConfigs",
            DELETE => "Delete",
            other => panic!("{other:?}"),
        };
        let (kind, more) = match self.kind {
            Kind::RD_KAFKA_RESOURCE_GROUP => ("--group", ""),
            Kind::RD_KAFKA_RESOURCE_TRANSACTIONAL_ID => {
                ("--transactional-id", " --resource-pattern-type prefixed")
            }
            _ => ("--topic", ""),
        };
        format!("--operation {operation} {kind} {}{more}", self.name)
    }

    /// Of all transactional ids that begin so.
    pub fn transactional_ids(prefix: &str, operation: Op) -> Acl {
        Acl {
            kind: Kind::RD_KAFKA_RESOURCE_TRANSACTIONAL_ID,
            prefixed: true,
            ..Acl::topic(prefix, operation)
        }
    }
}

/// What librdkafka knows a permission as, for one user. The caller destroys it.
fn binding(acl: &Acl, principal: &CStr) -> *mut rd::rd_kafka_AclBinding_t {
    let name = CString::new(acl.name.as_str()).expect("a name");
    let pattern = if acl.prefixed {
        rd::rd_kafka_ResourcePatternType_t::RD_KAFKA_RESOURCE_PATTERN_PREFIXED
    } else {
        rd::rd_kafka_ResourcePatternType_t::RD_KAFKA_RESOURCE_PATTERN_LITERAL
    };
    let mut said = [0; 512];
    // SAFETY: librdkafka copies the texts, which live until it has returned, and writes no more than `said` has room for.
    let binding = unsafe {
        rd::rd_kafka_AclBinding_new(
            acl.kind,
            name.as_ptr(),
            pattern,
            principal.as_ptr(),
            c"*".as_ptr(),
            acl.operation,
            rd::rd_kafka_AclPermissionType_t::RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW,
            said.as_mut_ptr(),
            said.len(),
        )
    };
    assert!(!binding.is_null(), "{acl:?}");
    binding
}

/// Grants `user` these permissions.
#[track_caller]
pub fn grant(client: &Client, user: &str, acls: &[Acl]) {
    let admin = client
        .config()
        .create_native_config()
        .expect("a configuration");
    let principal = CString::new(format!("User:{user}")).expect("a name");
    let mut said = [0; 512];
    // SAFETY: what is made is destroyed at the end, by the function for its type; the client takes the configuration
    // over, and outlives all else.
    unsafe {
        let client = rd::rd_kafka_new(
            RDKafkaType::RD_KAFKA_PRODUCER,
            rd::rd_kafka_conf_dup(admin.ptr()),
            said.as_mut_ptr(),
            said.len(),
        );
        assert!(!client.is_null(), "a client");
        let bindings = acls.iter().map(|acl| binding(acl, &principal));
        let mut bindings: Vec<_> = bindings.collect();
        let queue = rd::rd_kafka_queue_new(client);
        rd::rd_kafka_CreateAcls(
            client,
            bindings.as_mut_ptr(),
            bindings.len(),
            null_mut(),
            queue,
        );
        let event = rd::rd_kafka_queue_poll(queue, 30_000);
        assert!(!event.is_null(), "no answer");
        let result = rd::rd_kafka_event_CreateAcls_result(event);
        assert!(!result.is_null(), "another answer");
        let mut count = 0;
        let results = rd::rd_kafka_CreateAcls_result_acls(result, &raw mut count);
        for index in 0..count {
            let error = rd::rd_kafka_acl_result_error(*results.add(index));
            assert!(error.is_null(), "a permission was not granted");
        }
        rd::rd_kafka_event_destroy(event);
        rd::rd_kafka_queue_destroy(queue);
        for binding in bindings {
            rd::rd_kafka_AclBinding_destroy(binding);
        }
        rd::rd_kafka_destroy(client);
    }
}
