"""The main job on the simulated bench: real programs, a simulated pack, and a story that plays by itself."""
