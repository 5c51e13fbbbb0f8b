//! The Avro writer schemas for commands that work on files: from a folder, or from the registry, which is asked for one
//! at a time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::line::Line;
use super::progress;
use crate::config::{Config, Format, KeyFormat};
use crate::exit::Failure;
use crate::model::record::RawRecord;
use crate::registry::{Fetched, Registry};
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
    /// With how long it is waited for.
    Registry(Registry, Duration),
    /// No source uses Avro.
    Nowhere,
}

/// Writer schemas, each looked up once.
pub struct Lookup {
    origin: Origin,
    readers: ReaderSchemas,
    found: FoundSchemas,
    /// A registry that was away once is not asked again.
    gives_up: bool,
    away: Option<String>,
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
                Duration::ZERO,
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
            gives_up: false,
            away: None,
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
    /// Those of the configuration's registry, which is waited for if it is away.
    pub fn of_registry(config: &Config, patience: Duration) -> Result<Lookup, Failure> {
        let args = SchemaArgs {
            registry: None,
            schemas: None,
        };
        let mut lookup = args.lookup(config)?;
        if let Origin::Registry(_, waits) = &mut lookup.origin {
            *waits = patience;
        }
        Ok(lookup)
    }

    /// For a command that goes on without the registry, and may need it for any number of records: once it was away for
    /// as long as it is waited for, it is not asked again.
    #[must_use]
    pub fn giving_up(self) -> Lookup {
        Lookup {
            gives_up: true,
            ..self
        }
    }

    /// Looks schemas up, unless that was done before; then they are in [`Lookup::found`].
    ///
    /// # Errors
    /// [`Failure::RegistryAway`] if the registry does not answer in time; a file that cannot be read.
    pub fn find_all(
        &mut self,
        needed: impl IntoIterator<Item = (Purpose, SchemaId)>,
    ) -> Result<(), Failure> {
        for (purpose, id) in needed {
            self.find(purpose, id)?;
        }
        Ok(())
    }

    /// The schemas that were looked up.
    pub fn found(&self) -> &dyn SchemaLookup {
        &self.found
    }

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
        self.find_all(needed.into_iter().flatten())?;
        let payload = PayloadReader::new(config, record.source, &self.found).read(record, guid);
        payload.ok_or_else(|| Failure::Service("a writer schema was not looked up".to_owned()))
    }

    fn find(&mut self, purpose: Purpose, id: SchemaId) -> Result<(), Failure> {
        let Entry::Vacant(entry) = self.found.schemas.entry((purpose, id)) else {
            return Ok(());
        };
        if let Some(reason) = &self.away {
            return Err(Failure::RegistryAway(reason.clone()));
        }
        let fetched = self.origin.fetch(purpose, &self.readers, id);
        if let Err(Failure::RegistryAway(reason)) = &fetched {
            self.away = self.gives_up.then(|| reason.clone());
        }
        entry.insert(fetched?);
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
            Origin::Registry(registry, patience) => match ask(registry, id, *patience)? {
                Some(fetched) => fetched.writer_schema(purpose, readers),
                None => return Ok(WriterSchema::Unknown),
            },
        };
        if let WriterSchema::Unusable(reason) = &found {
            tracing::warn!(source = %purpose, schema = %id, %reason, "no value of this schema can be read for this source");
        }
        Ok(found)
    }
}

/// Asks a registry for a schema, again and again while it is away.
fn ask(registry: &Registry, id: SchemaId, patience: Duration) -> Result<Option<Fetched>, Failure> {
    const PAUSE: Duration = Duration::from_secs(1);
    let until = Instant::now() + patience;
    let mut is_told = false;
    loop {
        let unavailable = match registry.schema(id) {
            Ok(found) => return Ok(found),
            Err(unavailable) => unavailable,
        };
        if Instant::now() >= until {
            return Err(Failure::RegistryAway(unavailable.to_string()));
        }
        if !is_told {
            let seconds = patience.as_secs();
            progress::say(&format!(
                "waiting for the schema registry, for up to {seconds} s: {unavailable}"
            ));
            is_told = true;
        }
        std::thread::sleep(PAUSE);
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
