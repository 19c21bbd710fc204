"""Settings, where each came from, and what is wrong with the ones that can't be used."""

from fanfold.config.load import Origins, load_settings, project_root, settings_with_origins
from fanfold.config.settings import ConfigError, FixSettings, workspaces_home

__all__ = [
    "ConfigError",
    "FixSettings",
    "Origins",
    "load_settings",
    "project_root",
    "settings_with_origins",
    "workspaces_home",
]
