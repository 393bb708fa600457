//! The text of an element of an XML document: all that the answers of STS need.
