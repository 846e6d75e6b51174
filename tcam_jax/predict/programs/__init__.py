"""What an exported folder has the network as: one module a kind of program."""
