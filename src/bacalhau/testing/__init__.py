"""Contract suites, in-memory fakes and the simulation, for this project and for plug-in authors."""
