"""Programs that Fanfold knows how to call: each a preset of its own, found on PATH."""

from fanfold.agents.presets.aider import AIDER
from fanfold.agents.presets.claude import CLAUDE
from fanfold.agents.presets.codex import CODEX
from fanfold.agents.presets.cursor import CURSOR
from fanfold.agents.presets.gemini import GEMINI
from fanfold.agents.presets.mini import MINI
from fanfold.agents.presets.opencode import OPENCODE
from fanfold.agents.presets.preset import Ask, Options, Preset, Said

PRESETS = (AIDER, CLAUDE, CODEX, CURSOR, GEMINI, MINI, OPENCODE)

__all__ = ["PRESETS", "Ask", "Options", "Preset", "Said"]
