"""The process: errors, whole files, locks, signals, log, processes, devices. Imports no room."""
