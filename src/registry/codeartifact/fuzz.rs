//! Properties that hold for any section of keyring's configuration file and any answer of CodeArtifact. The targets in `fuzz/`
//! search for counterexamples; the tests here run the seeds.
