//! The Avro writer schemas for commands that work on files: from a folder, or from the registry, which is asked for one
//! at a time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;

use super::line::Line;
use crate::config::{Config, Format, KeyFormat};
use crate::exit::Failure;
use crate::model::record::RawRecord;
use crate::registry::Registry;
use crate::source::framing::{
    GUID_HEADER, Payload, PayloadReader, Purpose, ReaderSchemas, SchemaId, SchemaLookup,
    WriterSchema,
};

/// Where the writer schemas of Avro values are found.
#[derive(Debug, clap::Args)]
pub struct SchemaArgs {
    /// The schema registry to ask, in the place of the configuration's; without credentials, which every process of the
    /// machine could read. Those of the configuration are sent to the configuration's URLs only
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
    /// Take writer schemas from this folder instead: <schema id>.avsc, or <GUID>.avsc
    #[arg(long, value_name = "DIR", conflicts_with = "registry")]
    schemas: Option<PathBuf>,
}

enum Origin {
    Folder(PathBuf),
    Registry(Registry),
    /// No source uses Avro.
    Nowhere,
}

/// Writer schemas, each looked up once.
pub struct Lookup {
    origin: Origin,
    readers: ReaderSchemas,
    found: FoundSchemas,
}

struct FoundSchemas {
    is_available: bool,
    schemas: HashMap<(Purpose, SchemaId), WriterSchema>,
}

impl SchemaArgs {
    pub fn lookup(&self, config: &Config) -> Result<Lookup, Failure> {
        let mut registry = config.registry.clone();
        if let Some(url) = &self.registry {
            if url.contains('@') {
                return Err(Failure::Usage(
                    "--registry: a user or a password here can be read by every process of the machine; give the URL with them as KEYFOLD__REGISTRY__URL, or KEYFOLD__REGISTRY__USERNAME and KEYFOLD__REGISTRY__PASSWORD or KEYFOLD__REGISTRY__TOKEN"
                        .to_owned(),
                ));
            }
            let url = url.trim_end_matches('/').to_owned();
            let known = registry
                .urls()
                .find(|known| without_user(known) == url)
                .map(str::to_owned);
            registry.url = known.unwrap_or_else(|| {
                // The credentials are for the registry of the configuration, and this is another one.
                registry.username.clear();
                registry.password.clear();
                registry.token.clear();
                url
            });
        }
        let needed = config.sources.iter().any(|(name, source)| {
            source.format == Format::Avro || config.sources.reads_avro_keys(name)
        });
        // The schemas of keys are looked up only if the command line says where.
        let is_asked = self.registry.is_some()
            && config
                .sources
                .iter()
                .any(|(_, source)| source.key_format == KeyFormat::Avro);
        let origin = match &self.schemas {
            Some(folder) => Origin::Folder(folder.clone()),
            None if needed || is_asked => Origin::Registry(
                Registry::new(&registry).map_err(|error| Failure::Usage(error.to_string()))?,
            ),
            None => Origin::Nowhere,
        };
        let found = FoundSchemas {
            is_available: !matches!(origin, Origin::Nowhere),
            schemas: HashMap::new(),
        };
        Ok(Lookup {
            origin,
            readers: ReaderSchemas::of(&config.sources),
            found,
        })
    }
}

/// A URL of the configuration without user and password.
fn without_user(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}

impl Lookup {
    /// Removes the frame from the value of a line's record.
    pub fn open<'a>(
        &mut self,
        line: &'a Line,
        record: &RawRecord<'a>,
        config: &Config,
    ) -> Result<Payload<'a>, Failure> {
        let max_metadata_bytes = config.validation.max_metadata_bytes;
        if let Some(rejection) = line.metadata().rejection(max_metadata_bytes) {
            return Ok(Payload::Rejected(rejection));
        }
        let guid = || line.header(GUID_HEADER);
        let needed = PayloadReader::new(config, record.source, &self.found).needed(record, guid);
        for (purpose, id) in needed.into_iter().flatten() {
            self.find(purpose, id)?;
        }
        let payload = PayloadReader::new(config, record.source, &self.found).read(record, guid);
        payload.ok_or_else(|| Failure::Service("a writer schema was not looked up".to_owned()))
    }

    fn find(&mut self, purpose: Purpose, id: SchemaId) -> Result<(), Failure> {
        if let Entry::Vacant(entry) = self.found.schemas.entry((purpose, id)) {
            entry.insert(self.origin.fetch(purpose, &self.readers, id)?);
        }
        Ok(())
    }
}

impl Origin {
    fn fetch(
        &self,
        purpose: Purpose,
        readers: &ReaderSchemas,
        id: SchemaId,
    ) -> Result<WriterSchema, Failure> {
        let found = match self {
            Origin::Nowhere => return Ok(WriterSchema::Unknown),
            Origin::Folder(folder) => {
                let file = folder.join(format!("{id}.avsc"));
                let text = std::fs::read_to_string(&file).map_err(|error| {
                    Failure::Usage(format!("cannot read {}: {error}", file.display()))
                })?;
                WriterSchema::compile(purpose, readers, &text, &[])
            }
            Origin::Registry(registry) => match registry.schema(id) {
                Ok(Some(fetched)) => fetched.writer_schema(purpose, readers),
                Ok(None) => return Ok(WriterSchema::Unknown),
                Err(unavailable) => return Err(Failure::Service(unavailable.to_string())),
            },
        };
        if let WriterSchema::Unusable(reason) = &found {
            tracing::warn!(source = %purpose, schema = %id, %reason, "no value of this schema can be read for this source");
        }
        Ok(found)
    }
}

impl SchemaLookup for FoundSchemas {
    fn is_available(&self) -> bool {
        self.is_available
    }

    fn writer_schema(&self, purpose: Purpose, id: SchemaId) -> Option<WriterSchema> {
        self.schemas.get(&(purpose, id)).cloned()
    }
}
