//! The text of an element of an XML document: all that the answers of STS need.

/// The text of the first element of a name.
pub(super) fn text(document: &str, element: &str) -> Option<String> {
    let (_, rest) = document.split_once(&format!("<{element}>"))?;
    let (text, _) = rest.split_once(&format!("</{element}>"))?;
    Some(text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&"))
}
