"""Fan out many agents over one shared thing, fold what they made into one result that is right."""
__version__ = "0.1.0"
