"""A folder for ``sys.path``: in it Python finds packages named torch and torchvision, the engine."""
