"""Settings, where each came from, and what is wrong with the ones that can't be used."""

from fanfold.config.load import Origins, load_settings, settings_with_origins
from fanfold.config.settings import ConfigError, FixSettings

__all__ = ["ConfigError", "FixSettings", "Origins", "load_settings", "settings_with_origins"]
