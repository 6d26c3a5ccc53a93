"""main.py of a board: says whether it has an identity; an application goes on from here."""

from certlet import agent, config, store

settings = config.load("certlet.json")
identity = agent.load_identity(store.Store(settings["folder"]))
print("not enrolled" if identity is None else "enrolled")
