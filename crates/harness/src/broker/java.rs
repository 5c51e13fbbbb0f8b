//! What a broker needs of the machine: Java, and the jars of Kafka.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use super::POM;

/// What a JVM is told beside what all are told.
pub type Flags = &'static [&'static str];

/// For a JVM that serves few tests, or does little. It starts sooner without the second compiler, and without the file in
/// which other programs could watch it, and does not run long enough for these to be worth their while.
pub const SHORT_LIVED: Flags = &["-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"];

/// A JVM of little memory. What it is to run is still to be added.
pub fn command(flags: Flags) -> Command {
    let mut command = Command::new("java");
    command
        .args(["-Xmx600m", "-XX:+UseSerialGC"])
        .args(flags)
        .arg("-Dorg.slf4j.simpleLogger.showDateTime=true")
        .arg("-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS");
    command
}

/// Whether there is a Java that runs Kafka. The answer is the same for all brokers of a process, so it is asked once.
pub fn check() -> Result<(), String> {
    static CHECKED: OnceLock<Result<(), String>> = OnceLock::new();
    CHECKED.get_or_init(check_version).clone()
}

fn check_version() -> Result<(), String> {
    let output = Command::new("java").arg("-version").output();
    let text = match &output {
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    // `openjdk version "17.0.15" …`
    let version = text.split('"').nth(1).unwrap_or_default();
    let major: Option<u32> = version
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .and_then(|digits| digits.parse().ok());
    if major.is_some_and(|major| major >= 17) {
        return Ok(());
    }
    Err(format!(
        "`java -version` must say 17 or newer, but says: {}\n{INSTALL}",
        text.trim()
    ))
}

const INSTALL: &str = "Install Java 17 and Maven (Debian: apt-get install openjdk-17-jre-headless \
                       maven), or name a broker in KEYFOLD_TEST_BOOTSTRAP.";

/// Fetches the jars of Kafka by Maven.
pub fn fetch_jars(libs: &Path) -> Result<(), String> {
    let pom = libs.join("pom.xml");
    fs::write(&pom, POM).map_err(|e| format!("write {}: {e}", pom.display()))?;
    let output = Command::new("mvn")
        .args(["-q", "-B", "dependency:copy-dependencies", "-f"])
        .arg(&pom)
        .arg(format!("-DoutputDirectory={}", libs.display()))
        .output()
        .map_err(|e| format!("run `mvn`: {e}\n{INSTALL}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "Maven could not fetch Kafka's jars ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}
