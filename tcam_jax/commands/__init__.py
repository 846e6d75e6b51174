"""The command line: `tcam NAME`, which is `python -m launch.NAME`. Thin mains over the library."""
