"""Helpers without any knowledge of jobs: units, time, identifiers, files, archives."""
