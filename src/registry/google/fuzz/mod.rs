//! The fuzz targets of Google's credentials.
