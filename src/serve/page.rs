//! The page for people at `/`: one file without external assets, filled in once at start.

use super::ProcessInfo;

const TEMPLATE: &str = include_str!("page.html");
const NONCE: &str = "{{nonce}}";

/// The page with everything filled in but the nonce, which is new for each response.
pub(super) struct Page {
    parts: Vec<String>,
}

impl Page {
    pub(super) fn new(info: &ProcessInfo) -> Page {
        let version = escape(info.version);
        let application_id = escape(&info.application_id);
        // Split at the nonce first, so that a value that is filled in cannot contain the nonce's placeholder.
        let parts = TEMPLATE
            .split(NONCE)
            .map(|part| {
                part.replace("{{version}}", &version)
                    .replace("{{application_id}}", &application_id)
            })
            .collect();
        Page { parts }
    }

    /// Returns the page, and the `Content-Security-Policy` that allows its own script and style and nothing else.
    pub(super) fn render(&self) -> (String, String) {
        let nonce = format!("{:032x}", rand::random::<u128>());
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
             connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        );
        (self.parts.join(&nonce), policy)
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(application_id: &str) -> Page {
        let info = ProcessInfo {
            version: "1.2.3",
            commit: "unknown",
            application_id: application_id.to_owned(),
        };
        Page::new(&info)
    }

    #[test]
    fn every_placeholder_is_filled_in() {
        let (html, _) = page("orders").render();
        assert!(html.contains("1.2.3"));
        assert!(html.contains("orders"));
        assert!(!html.contains("{{"), "a placeholder is left");
    }

    #[test]
    fn values_are_escaped_and_cannot_bring_a_nonce() {
        let (html, policy) = page("<script>{{nonce}}'\"&").render();
        assert!(html.contains("&lt;script&gt;{{nonce}}&#39;&quot;&amp;"));
        let nonce = policy
            .split("'nonce-")
            .nth(1)
            .and_then(|rest| rest.split('\'').next())
            .unwrap();
        assert_eq!(nonce.len(), 32);
        let uses = html.matches(&format!("nonce=\"{nonce}\"")).count();
        assert_eq!(uses, html.matches("nonce=\"").count());
        assert_eq!(uses, 2, "one style, one script");
    }

    #[test]
    fn each_response_has_its_own_nonce() {
        let page = page("a");
        assert_ne!(page.render().1, page.render().1);
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere() {
        for forbidden in ["http://", "https://", "src=", "@import", "url(", "style=\""] {
            assert!(!TEMPLATE.contains(forbidden), "{forbidden}");
        }
    }
}
