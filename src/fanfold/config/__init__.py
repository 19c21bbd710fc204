"""Settings, where each came from, and what is wrong with the ones that can't be used."""

from fanfold.config.files import Found, find_table, refuse_unknown, shown
from fanfold.config.load import Origins, load_settings, project_root, settings_with_origins
from fanfold.config.settings import ConfigError, FixSettings, workspaces_home

__all__ = [
    "ConfigError",
    "FixSettings",
    "Found",
    "Origins",
    "find_table",
    "load_settings",
    "project_root",
    "refuse_unknown",
    "settings_with_origins",
    "shown",
    "workspaces_home",
]
