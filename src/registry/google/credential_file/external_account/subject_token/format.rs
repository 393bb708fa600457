//! How a file or an answer holds a subject token.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{auth::access_token::AccessToken, secret::Secret};

/// `format` of a credential source.
#[derive(Deserialize)]
pub(super) struct Document {
    r#type: Option<String>,
    subject_token_field_name: Option<String>,
}

/// The format of a subject token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Format {
    /// The token is the whole text.
    Text,
    /// The token is a member of a JSON object.
    Json {
        /// The name of the member.
        field: String,
    },
}

impl Format {
    /// Reads the document; without one, the format is text. The error is a phrase for `a credential_source ...`.
    pub(super) fn read(document: Option<Document>) -> Result<Self, &'static str> {
        let Some(document) = document else { return Ok(Self::Text) };
        match document.r#type.as_deref() {
            None | Some("text") => Ok(Self::Text),
            Some("json") => {
                let field = document.subject_token_field_name.filter(|name| !name.is_empty());
                field.map(|field| Self::Json { field }).ok_or("without subject_token_field_name")
            }
            Some(_) => Err("with a format that is neither text nor json"),
        }
    }

    /// The token in a content. The error says what the content is instead, and quotes nothing of it.
    pub(super) fn token(&self, content: &[u8]) -> Result<AccessToken, String> {
        let parse = |text: &[u8]| AccessToken::parse(text).map_err(|malformed| malformed.to_string());
        let Self::Json { field } = self else { return parse(content) };
        let members: BTreeMap<String, &RawValue> =
            serde_json::from_slice(content).map_err(|_| "no JSON object".to_owned())?;
        let secret = members.get(field).and_then(|value| serde_json::from_str::<Secret>(value.get()).ok());
        secret.map_or_else(
            || Err("no token in subject_token_field_name".to_owned()),
            |token| parse(token.expose().as_bytes()),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_is_all_of_a_text_or_a_member_of_an_object() {
        let json = Format::Json { field: "value".to_owned() };
        for (format, content, expected) in [
            (&Format::Text, "a.b.c\n", Ok("a.b.c")),
            (&Format::Text, " \n", Err("nothing")),
            (&Format::Text, "a b", Err("more than a token")),
            (&json, r#"{"count":1,"value":"a.b.c"}"#, Ok("a.b.c")),
            (&json, r#"{"value":""}"#, Err("nothing")),
            (&json, r#"{"value":"a\nb"}"#, Err("more than a token")),
            (&json, r#"{"value":7}"#, Err("no token in subject_token_field_name")),
            (&json, r#"{"other":"a"}"#, Err("no token in subject_token_field_name")),
            (&json, r#"["a"]"#, Err("no JSON object")),
            (&json, "a.b.c", Err("no JSON object")),
        ] {
            let token = format.token(content.as_bytes());
            let token = token.as_ref().map(|token| token.secret().expose()).map_err(String::as_str);
            assert_eq!(token, expected, "{content}");
        }
    }

    proptest! {
        #[test]
        fn no_content_is_quoted(content in "[\\[{\":,]{0,3}(value)?[\": ]{0,3}x-secret\\PC{0,9}") {
            for format in [Format::Text, Format::Json { field: "value".to_owned() }] {
                if let Err(why) = format.token(content.as_bytes()) {
                    prop_assert!(!why.contains("x-secret"), "{}", why);
                }
            }
        }
    }
}
